"""Cold starts are checked for what was measured, in which process, and which rows tell it; never for how long."""

import os

import pytest
from workbook import isolated
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import cold_start

KEPT = {
    "model": "some", "variant": "float32", "words": 3, "threads": 2, "speed_only": False, "megabytes": 12.5,
    "load_seconds": [0.5, 0.25, 1.0], "first_seconds": [0.2, 0.1, 0.4], "warm_seconds": [0.002, 0.001, 0.003],
    "before_bytes": [300e6, 310e6, 320e6], "peak_bytes": [400e6, 420e6, 410e6], "key": "key",
}  # fmt: skip
MODEL = {"load seconds", "memory MB", "peak process MB"}
TEXT = {"first text ms", "warm text ms"}


def metrics(**changed):
    return set(cold_start.rows("sample", [KEPT | changed])["metric"])


@pytest.fixture
def runs(monkeypatch):
    """What was asked of fresh processes, none of which is started."""
    asked = []
    sample = {
        "load_seconds": 1.0, "first_seconds": 1.0, "warm_seconds": 1.0, "before_bytes": 1, "peak_bytes": 2
    }  # fmt: skip
    monkeypatch.setattr(isolated, "run", lambda *work: asked.append(work) or sample)
    return asked


@pytest.mark.parametrize(
    ("name", "variant"), [("tiny-static", "float32"), pytest.param("tiny-transformer", "int8", marks=pytest.mark.slow)]
)
def test_a_model_is_measured_in_fresh_processes_and_only_once(data, name, variant):
    measured = cold_start.measure(name, variant, "the river bank", 2)
    plain = encoders.load(name)
    assert measured["model"] == (name if variant == "float32" else f"{name} ({variant})")
    assert measured["megabytes"] == pytest.approx(encoders.megabytes(plain))
    assert (measured["words"], measured["threads"], measured["speed_only"]) == (3, results.machine()["cores"], False)
    for what in ("load_seconds", "first_seconds", "warm_seconds", "before_bytes", "peak_bytes"):
        assert len(measured[what]) == 2
        assert min(measured[what]) > 0
    assert all(peak > before for peak, before in zip(measured["peak_bytes"], measured["before_bytes"], strict=True))
    assert cold_start.measure(name, variant, "the river bank", 2) == measured, "the same measurement was made again"
    assert len(list((data / "results" / "cold").iterdir())) == 1


def test_each_repeat_has_a_process_of_its_own_and_the_folder_is_made_before(data, runs):
    cold_start.measure("tiny-static", "float32", "bank", 3, thread_count=1)
    assert runs == [(cold_start._once, "tiny-static", "float32", "bank", 1)] * 3
    assert list((data / "models").glob("tiny-static-*"))


def test_another_text_thread_count_or_variant_is_another_measurement(data, runs):
    asked = [
        ("tiny-transformer", "float32", "bank", 1), ("tiny-transformer", "int8", "bank", 1),
        ("tiny-transformer", "float32", "river", 1), ("tiny-transformer", "float32", "bank", 1, 1),
        ("tiny-transformer", "float32", "bank", 2, 1),
    ]  # fmt: skip
    assert len({cold_start.measure(*each)["key"] for each in asked}) == len(asked)
    assert len(runs) == 6


def test_one_repeat_encodes_the_text_until_it_is_warm(data, monkeypatch):
    """The process is this one here; the clock ticks once a call, so each time is one tick."""
    texts, ticks = [], iter(range(100))
    encode = encoders.Encoder.encode
    monkeypatch.setattr(encoders.Encoder, "encode", lambda self, own: texts.append(own) or encode(self, own))
    monkeypatch.setattr(cold_start.time, "perf_counter", lambda: next(ticks))
    sample = cold_start._once("tiny-static", "float32", "bank", 1, None)
    assert texts == [["bank"]] * 10
    assert [sample[f"{what}_seconds"] for what in ("load", "first", "warm")] == [1, 1, 1]
    assert os.environ.get("TOKENIZERS_PARALLELISM") is None


def test_rows_are_medians_in_their_units():
    rows = cold_start.rows("sample", [KEPT]).set_index("metric")
    assert set(rows.index) == MODEL | TEXT | {"megabytes"}
    assert rows.loc["load seconds", ["value", "low", "high", "n"]].tolist() == [0.5, 0.25, 1.0, 3]
    assert rows.loc["first text ms", ["value", "low", "high"]].tolist() == pytest.approx([200, 100, 400])
    assert rows.loc["warm text ms", ["value", "low", "high"]].tolist() == pytest.approx([2, 1, 3])
    assert rows.loc["memory MB", ["value", "low", "high"]].tolist() == [100, 90, 110]
    assert rows.loc["peak process MB", ["value", "low", "high"]].tolist() == [410, 400, 420]
    assert rows.loc["megabytes", ["value", "n"]].tolist() == [12.5, 1]
    assert rows[["words", "threads"]].drop_duplicates().to_numpy().tolist() == [[3, 2]]
    assert (set(rows["corpus"]), set(rows["model"])) == ({"sample"}, {"some"})
    assert set(rows.reset_index().columns) <= set(results.COLUMNS)


def test_a_variant_has_no_smaller_file_and_random_weights_are_not_loaded():
    assert metrics(variant="int8") == MODEL | TEXT
    assert metrics(speed_only=True, megabytes=None) == TEXT


def test_a_model_of_random_weights_has_no_folder(data, runs):
    measured = cold_start.measure("mpnet-shape-random", "float32", "bank", 1)
    assert (measured["speed_only"], measured["megabytes"]) == (True, None)
    assert not (data / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny-static", "float32", "bank", 0), "repeats must be at least 1, not 0"),
        (("tiny-static", "float32", b"bank", 1), "of type bytes"),
        (("tiny-static", "int8", "bank", 1), "not as int8"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_a_process_is_started(data, runs, arguments, message):
    with pytest.raises(WorkbookError, match=message):
        cold_start.measure(*arguments)
    assert not runs
