"""Plans add up, follow a fit no farther than it reaches, and tell the bound beyond."""

import math

import pytest
from test_growth import SIZES, run, value_of
from workbook.conclusions import capacity, growth
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import ingest
from workbook.qdrant import engine, quantization
from workbook.qdrant.client import Placement
from workbook.qdrant.quantization import SETTINGS

HOURS_BY_THE_FIT = ["extrapolated hours to encode", "extrapolated hours to index"]


@pytest.fixture
def runs():
    return [run(n) for n in SIZES]


@pytest.fixture
def plan(runs):
    sizes = {"ten times": 640_000, "a billion": 1_000_000_000}
    return capacity.plan(runs[-1], growth.fits(runs), sizes, ["float32", "binary"], 64)


def of(plan, size, setting="binary"):
    return plan[(plan["size"] == size) & (plan["setting"] == setting)].iloc[0]


def test_a_plan_extrapolates_hours_with_the_fits(plan):
    ten = of(plan, "ten times")
    assert ten["extrapolated times the largest run"] == 10
    assert ten["extrapolated hours to encode"] == pytest.approx(640 / 3_600)
    assert ten["extrapolated hours to index"] == pytest.approx(640_000**1.25 / 1e5 / 3_600)
    assert ten["encode low"] == pytest.approx(ten["encode high"])
    assert ten["hours"] == ""


def test_beyond_a_hundred_times_the_largest_run_there_is_a_bound_alone(plan):
    """Encoded at 1,000 documents/s; indexed at most at 1,000 / (1,000^1.25 / 100,000) = 17,783 a second."""
    billion = of(plan, "a billion")
    assert billion["extrapolated times the largest run"] == pytest.approx(1e9 / 64_000)
    hours = [f"extrapolated hours to {phase}" for phase in ("encode", "index")]
    assert billion[[*hours, "encode low", "encode high", "index low", "index high"]].isna().all()
    assert billion[f"{hours[0]}, at the measured rate"] == pytest.approx(1e6 / 3_600)
    assert billion[f"{hours[1]}, at the measured rate"] == pytest.approx(1e9 / 17_782.794 / 3_600)
    assert capacity.refusals(plan) == [
        "a billion, 1,000,000,000 documents: hours not extrapolated: more than 100 times the largest run; "
        "as a bound, those at the highest rate measured"
    ]


def test_a_fit_below_n_gives_its_bound_alone():
    """The best of three runs encodes 10,000 documents in 1.6 s: 1,000,000 take 160 s at that rate."""
    seconds = {1_000: 0.4, 3_000: 0.8, 10_000: 1.6}
    runs = [
        run(n, seconds={"encode": encode, "upsert": 0.1, "index": n**1.25 / 100_000}) for n, encode in seconds.items()
    ]
    plan = capacity.plan(runs[-1], growth.fits(runs), {"x": 1_000_000, "100 million": 10**8}, ["binary"], 64)
    row = of(plan, "x")
    assert math.isnan(row["extrapolated hours to encode"])
    assert row["extrapolated hours to encode, at the measured rate"] == pytest.approx(160 / 3_600)
    assert row["extrapolated hours to index"] == pytest.approx(1e6**1.25 / 1e5 / 3_600)
    assert capacity.refusals(plan)[0] == (
        "x, 1,000,000 documents: hours to encode: as a bound, those at the highest rate measured, "
        "as the fit says below n^1"
    )
    rows = capacity.rows(runs[-1], plan)
    encode = rows[rows["metric"].str.startswith("extrapolated hours to encode")]
    assert set(encode["metric"]) == {"extrapolated hours to encode, at the measured rate"}, "nothing by the fit"
    assert encode["value"].tolist() == pytest.approx([160 / 3_600, 16_000 / 3_600]), "4.4 h, not 0.2"


def test_hours_carry_the_interval_of_the_fit(runs):
    runs[-1] = run(64_000, seconds={"encode": 80, "upsert": 6.4, "index": 64_000**1.25 / 100_000})
    fits = growth.fits(runs)
    row = capacity.plan(runs[-1], fits, {"x": 10**6}, ["binary"], 64).iloc[0]
    low, high = fits["encode seconds"].interval(10**6)
    assert low < 1_000 < high, "a thousand seconds are the bound"
    assert (row["encode low"], row["encode high"]) == pytest.approx((1_000 / 3_600, high / 3_600))
    assert row["encode low"] < row["extrapolated hours to encode"] < row["encode high"]


def test_index_hours_are_only_of_what_was_measured(runs, plan):
    assert plan.set_index("setting")["extrapolated hours to index"].isna().groupby("setting").all().to_dict() == {
        "float32": True, "binary": False,
    }  # fmt: skip
    narrower = capacity.plan(runs[-1], growth.fits(runs), {"x": 10**6}, ["binary"], 32)
    assert narrower["extrapolated hours to index"].isna().all()
    assert narrower["extrapolated hours to encode"].notna().all()


@pytest.mark.parametrize(
    ("setting", "in_ram", "ram", "disk"),
    [
        ("float32", False, 256 + 100, 256 + 100 + 50),
        ("float32", True, 256 + 100, 256 + 100 + 50),
        ("binary", False, 16 + 100, 256 + 16 + 100 + 50),
        ("binary", True, 16 + 100 + 256, 256 + 16 + 100 + 50),
        ("scalar-int8", False, 68 + 100, 256 + 68 + 100 + 50),
    ],
)
def test_ram_disk_and_nodes_add_up(runs, setting, in_ram, ram, disk):
    assert SETTINGS["binary"].bytes_per_vector(64) == 16 and SETTINGS["scalar-int8"].bytes_per_vector(64) == 68
    row = capacity.plan(runs[-1], growth.fits(runs), {"x": 10**9}, [setting], 64, 32, in_ram).iloc[0]
    assert row["extrapolated RAM GB"] == pytest.approx(ram) and row["extrapolated disk GB"] == pytest.approx(disk)
    assert row["extrapolated documents per node"] == 32 * 10**9 // ram
    assert row["extrapolated nodes"] == math.ceil(ram / 32)


def test_a_cluster_begins_with_the_first_document_too_many(runs):
    fits = growth.fits(runs)
    most = int(capacity.plan(runs[-1], fits, {"x": 1}, ["binary"], 64)["extrapolated documents per node"].iloc[0])
    nodes = capacity.plan(runs[-1], fits, {"fits": most, "does not": most + 1}, ["binary"], 64)["extrapolated nodes"]
    assert nodes.tolist() == [1, 2] and most == int(64e9 // 116)


def test_a_plan_reaches_beyond_the_smaller_of_the_largest_runs(runs):
    runs[-1] = run(64_000, resumed=5)
    plan = capacity.plan(runs[-1], growth.fits(runs), {"x": 160_000}, ["binary"], 64)
    assert plan["extrapolated times the largest run"].tolist() == [10]


def test_a_plan_that_cannot_be_made_is_refused(runs):
    fits = growth.fits(runs)
    with pytest.raises(WorkbookError, match="unknown quantization 'none'"):
        capacity.plan(runs[-1], fits, {"x": 1}, ["none"], 64)
    with pytest.raises(WorkbookError, match="no fit of index seconds"):
        capacity.plan(runs[-1], {"encode seconds": fits["encode seconds"]}, {"x": 1}, ["binary"], 64)
    with pytest.raises(WorkbookError, match="holds no document"):
        capacity.plan(runs[-1], fits, {"x": 1}, ["binary"], 64, node_ram_gb=1e-8)


def test_the_assumptions_name_their_values(runs, plan):
    text = plan.attrs["assumptions"]
    assert text == capacity.assumptions(runs[-1], growth.fits(runs), 64)
    for words in ("n^1.25 [1.25, 1.25]", "measured on Edge", "64,000 documents",
                  "documents/s 1,000 encoded and 17,783 indexed",
                  "256 bytes each, are on disk", "100 bytes a document",
                  "64 GB of RAM", "lower bound", "replication 1", results.machine_label()):  # fmt: skip
        assert words in text
    assert "16 GB of RAM" in capacity.assumptions(runs[-1], growth.fits(runs), 64, 16)
    assert "256 bytes each, are in RAM" in capacity.assumptions(runs[-1], growth.fits(runs), 64, 64, True)


def test_every_row_of_a_plan_is_called_extrapolated(runs, plan):
    rows = capacity.rows(runs[-1], plan)
    assert rows["metric"].str.startswith("extrapolated ").all() and set(rows.columns) <= set(results.COLUMNS)
    assert not rows.duplicated(["documents", "metric", "setting"]).any() and rows["value"].notna().all()
    binary = rows[rows["setting"] == "binary"]
    assert value_of(binary, "extrapolated hours to encode", "ten times, 640,000 documents") == pytest.approx(640 / 3600)
    bound = value_of(binary, "extrapolated hours to encode, at the measured rate", "a billion, 1,000,000,000 documents")
    assert bound == pytest.approx(1e6 / 3600)
    assert value_of(binary, "extrapolated RAM GB", "a billion, 1,000,000,000 documents") == pytest.approx(116)
    assert value_of(binary, "extrapolated nodes", "a billion, 1,000,000,000 documents") == 2
    assert value_of(binary, "extrapolated times the largest run", "ten times, 640,000 documents") == 10
    hours = rows[rows["metric"].str.startswith("extrapolated hours")]
    fitted = hours[~hours["metric"].str.endswith("rate")]
    assert (fitted["low"] <= fitted["value"] * (1 + 1e-9)).all()
    assert (fitted["value"] <= fitted["high"] * (1 + 1e-9)).all()
    assert set(hours[hours["metric"].str.contains("index")]["setting"]) == {"binary"}
    assert 10**9 not in set(rows["documents"][rows["metric"].isin(HOURS_BY_THE_FIT)])


PLACED = Placement(shard_number=3, replication_factor=2, on_disk=True, always_ram=True)


def on_a_server(n, placement=PLACED):
    job = run(n).job._replace(engine_name="server", placement=placement)
    return run(n, job=job, disk={"shards": 256 * n, **ingest.computed_bytes(job)},
               server={"version": "1.18.3", "nodes": 3})  # fmt: skip


def test_copies_on_a_server_multiply_ram_disk_and_nodes():
    runs, n = [on_a_server(size) for size in SIZES], 10**9
    row = capacity.plan(runs[-1], growth.fits(runs), {"x": n}, ["binary"], 64, 32).iloc[0]
    ram = 16 + quantization.graph_bytes(
        n, engine.M
    )  # of that many documents, whose ids take more bits than those of the run
    assert row["extrapolated RAM GB"] == pytest.approx(2 * ram)
    assert row["extrapolated disk GB"] == pytest.approx(2 * (256 + ram))
    assert row["extrapolated documents per node"] == 32e9 // ram
    assert row["extrapolated nodes"] == math.ceil(2 * n / (32e9 // ram))
    few = capacity.plan(runs[-1], growth.fits(runs), {"x": 1}, ["binary"], 64, 32).iloc[0]
    assert few["extrapolated nodes"] == 2, "two copies of a document are on two nodes"


def test_originals_that_a_server_was_not_told_to_keep_on_disk_are_in_ram():
    runs = [on_a_server(size, Placement(shard_number=3)) for size in SIZES]
    plan = capacity.plan(runs[-1], growth.fits(runs), {"x": 10**9}, ["binary"], 64)
    assert plan["extrapolated RAM GB"].tolist() == pytest.approx([16 + 256 + quantization.graph_bytes(10**9, engine.M)])
    assert "256 bytes each, are in RAM" in plan.attrs["assumptions"] and "replication 1" in plan.attrs["assumptions"]


def test_a_server_that_indexes_while_it_stores_has_hours_of_all_at_once():
    runs = [on_a_server(size) for size in SIZES]
    plan = capacity.plan(runs[-1], growth.fits(runs), {"x": 640_000, "100 million": 10**8}, ["float32", "binary"], 64)
    rows = capacity.rows(runs[-1], plan)
    hours = rows[rows["metric"].str.startswith("extrapolated hours")]
    together = "extrapolated hours to encode, store and index"
    assert set(hours["metric"]) == {together, f"{together}, at the measured rate"} and set(hours["setting"]) == {
        "binary"
    }
    best = min(each.total_seconds / each.n for each in runs)
    bound = value_of(hours, f"{together}, at the measured rate", "100 million, 100,000,000 documents")
    assert bound == pytest.approx(1e8 * best / 3_600)
    assert 10**8 not in set(hours["documents"][hours["metric"] == together]), "too far for a forecast"


def test_the_assumptions_of_a_server_say_what_is_computed_and_whose_hours_they_are():
    runs = [on_a_server(size) for size in SIZES]
    text = capacity.assumptions(runs[-1], growth.fits(runs), 64)
    for words in ("Graph: computed, as a server tells no bytes", "Other files are not counted", "replication 2",
                  "encoding, storing and indexing at once grows as",
                  "Qdrant 1.18.3, nodes: 3 (server, shards: 3, copies: 2, vectors on disk, codes in RAM)"):  # fmt: skip
        assert words in text
    assert "measured on Edge" not in text


def test_what_is_given_is_not_changed(runs):
    before = repr(runs)
    capacity.plan(runs[-1], growth.fits(runs), {"x": 10**6}, ["binary"], 64)
    assert repr(runs) == before
