"""Planted power laws are found, their intervals hold the truth as often as they say, and plans add up."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, t
from workbook.conclusions import growth
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.columns import in_words
from workbook.experiments.ingest import Job
from workbook.experiments.ingest_runs import Run
from workbook.qdrant.client import Placement

SIZES = [1_000, 4_000, 16_000, 64_000]


def run(n, words_once=True, dimension=64, **changes):
    """Encoding grows as n, indexing as n^1.25, disk as n; memory peaks while indexing, n^0.5 above the start."""
    seconds = {"encode": n / 1_000, "upsert": n / 10_000, "index": n**1.25 / 100_000}
    values = {
        "corpus": "assembled", "model": "static", "job": Job("sample", n, "static", dimension, words_once=words_once),
        "seconds": seconds, "total_seconds": sum(seconds.values()), "busy": {"encode": n / 1_100, "upsert": n / 4_000},
        "memory": {"start": 5e8, "encode": 5.01e8, "index": 5e8 + 1e5 * n**0.5, "search": 4e8},
        "disk": {"shards": 256.0 * n, "vectors": 260.0 * n, "codes": 16.0 * n, "graph": 100.0 * n, "other": 50.0 * n},
        "latency": [0.001, 0.002, 0.009], "precision": [1.0, 0.9, 0.8, 0.9], "resumed": 0, "key": f"key-{n}",
        "words": 160 * n, "distinct": 20 * n,
    }  # fmt: skip
    return Run(**{**values, **changes})


@pytest.fixture
def runs():
    return [run(n) for n in SIZES]


def value_of(rows, metric, what):
    (value,) = [row["value"] for row in rows.to_dict("records") if row["metric"] == metric and in_words(row) == what]
    return value


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 1.25])
def test_a_planted_exponent_is_found(exponent):
    found = growth.fit(SIZES, [3 * n**exponent for n in SIZES])
    assert found.exponent == pytest.approx(exponent, abs=1e-9)
    assert found.low == pytest.approx(found.high, abs=1e-6)
    assert found.scale == pytest.approx(3) and found.predict(1e6) == pytest.approx(3 * 1e6**exponent)
    assert (found.points, found.smallest, found.largest) == (4, 1_000, 64_000)
    assert math.isnan(found.r2) if exponent == 0 else found.r2 == pytest.approx(1)


def test_a_noisy_fit_is_that_of_scipy():
    values = np.random.default_rng(0).lognormal(0, 0.3, len(SIZES)) * np.array(SIZES) ** 0.9
    found, theirs = growth.fit(SIZES, values), linregress(np.log(SIZES), np.log(values))
    half = t.ppf(0.975, 2) * theirs.stderr
    assert found.exponent == pytest.approx(theirs.slope) and found.r2 == pytest.approx(theirs.rvalue**2)
    assert (found.low, found.high) == pytest.approx((theirs.slope - half, theirs.slope + half))
    assert found.scale == pytest.approx(math.exp(theirs.intercept))


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    random, inside, predicted = np.random.default_rng(1), 0, 0
    for _ in range(1_000):
        found = growth.fit(SIZES, 2 * np.array(SIZES) ** 1.1 * random.lognormal(0, 0.2, len(SIZES)))
        inside += found.low <= 1.1 <= found.high
        low, high = found.interval(1e6)
        predicted += low <= 2 * 1e6**1.1 * random.lognormal(0, 0.2) <= high
    assert 0.93 < inside / 1_000 < 0.97
    assert 0.93 < predicted / 1_000 < 0.97


def test_a_prediction_is_less_sure_the_farther_it_lies():
    found = growth.fit(SIZES, [1.0, 4.4, 15.0, 66.0])
    widths = [high / low for low, high in map(found.interval, (8_000, 64_000, 1e6, 1e8))]
    assert widths == sorted(widths) and widths[0] > 1
    low, high = found.interval(1e6)
    assert math.sqrt(low * high) == pytest.approx(found.predict(1e6))


def test_fixed_costs_are_left_out_with_the_smallest_runs():
    values = [5.0, 4.0, 16.0, 64.0]
    assert growth.fit(SIZES, values).exponent < 0.9
    found = growth.fit(SIZES, values, smallest=4_000)
    assert found.exponent == pytest.approx(1) and (found.points, found.smallest) == (3, 4_000)


@pytest.mark.parametrize(
    ("n", "values", "smallest", "message"),
    [
        ([1, 2], [1, 2], 0, "2 sizes from 0 documents on: give 3"),
        ([1, 2, 2], [1, 2, 2.1], 0, "2 sizes"),
        (SIZES, [1, 2, 3, 4], 5_000, "2 sizes from 5,000 documents on"),
        ([1, 2, 3], [1, 0, 2], 0, "above 0"),
        ([1, 2, 3], [1, math.nan, 2], 0, "above 0"),
        ([0, 2, 3], [1, 1, 2], 0, "above 0"),
    ],
)
def test_what_no_power_law_goes_through_is_refused(n, values, smallest, message):
    with pytest.raises(WorkbookError, match=message):
        growth.fit(n, values, smallest)


def test_a_fit_is_written_with_its_interval():
    assert str(growth.Fit(1.004, 0.976, 1.024, 1, 4, 1, 1, 2, 0, 0)) == "n^1.00 [0.98, 1.02]"


def test_work_that_reads_every_document_is_not_extrapolated_below_n():
    """The rate rises from 500 to 6,000 documents/s, n^0.65 or so: of 100 million that would make 0.2 hours."""
    sizes, seconds = [1_000, 3_000, 10_000], [2.0, 1.0, 10 / 6]
    loose, bound = growth.fit(sizes, seconds), growth.fit(sizes, seconds, reads_all=True)
    assert loose.exponent == bound.exponent < 1 and bound.is_bent and not loose.is_bent
    assert bound.cheapest == pytest.approx(1 / 6_000)
    assert bound.bound(100_000_000) == pytest.approx(100_000_000 / 6_000)
    assert all(math.isnan(end) for end in bound.estimate(100_000))


def test_a_fit_is_followed_to_a_hundred_times_the_largest_run():
    line = growth.fit(SIZES, [n**1.25 / 1_000 for n in SIZES], reads_all=True)
    assert line.estimate(6_400_000) == pytest.approx([6_400_000**1.25 / 1_000] * 3)
    assert all(math.isnan(end) for end in line.estimate(6_400_001))
    latency = growth.fit(SIZES, [n**0.5 for n in SIZES])
    assert latency.estimate(6_400_000) == pytest.approx([6_400_000**0.5] * 3), "a search need not read every document"


def test_no_end_of_a_prediction_lies_below_the_bound():
    """Seconds for 1,000 documents each: 1, 1.4, 1, 1.15. None can take less than 1."""
    line = growth.fit(SIZES, [n / 1_000 * each for n, each in zip(SIZES, (1, 1.4, 1, 1.15), strict=True)], 0, True)
    assert 1 < line.exponent < 1.01 and line.cheapest == pytest.approx(0.001)
    raw_low, raw_high = line.interval(640_000)
    value, low, high = line.estimate(640_000)
    assert raw_low < 640 and (low, high) == (pytest.approx(640), raw_high)
    assert value == line.predict(640_000) > 640


def test_a_line_that_is_told_as_linear_is_followed():
    line = growth.fit(SIZES, [n**0.996 for n in SIZES], reads_all=True)
    assert str(line).startswith("n^1.00") and not line.is_bent
    assert line.estimate(6_400_000) == pytest.approx([line.bound(6_400_000)] * 3), "no less than at the highest rate"


def test_a_fit_below_n_is_told():
    runs = [run(n, seconds={"encode": n**0.65, "upsert": 0.1, "index": n**1.25}) for n in SIZES]
    [memory, encode] = sorted(growth.bent(growth.fits(runs)), reverse=True)
    assert memory.startswith("peak memory above the start: n^0.50")
    assert encode == (
        "encode seconds: n^0.65 [0.65, 0.65] from 1,000 to 64,000 documents. Fixed costs are in it: each document "
        "takes its part, so it does not go on like that. Beyond, the lowest cost of a document is used, as a bound."
    )


def test_every_cost_is_fitted(runs):
    exponents = {what: each.exponent for what, each in growth.fits(runs).items()}
    assert list(exponents) == list(growth.GROWING)
    assert 1 < exponents.pop("total seconds") < 1.25
    assert exponents == pytest.approx({
        "encode seconds": 1, "upsert busy seconds": 1, "index seconds": 1.25, "peak memory above the start": 0.5,
        "bytes on disk": 1, "median latency": 0,
    })  # fmt: skip


def test_what_a_server_has_is_computed_and_not_fitted():
    """Its bytes follow from the number of documents, and the encoder's memory does not grow with it."""
    job = run(1).job._replace(engine_name="server", placement=Placement(3, 2))
    runs = [run(n, job=job._replace(n=n)) for n in SIZES]
    fits = growth.fits(runs)
    assert set(growth.GROWING) - set(fits) == {"bytes on disk"}
    assert growth.bent(fits) == [] and fits[growth.MEMORY].exponent == pytest.approx(0.5)
    where = "server, shards: 3, copies: 2"
    rows, label = growth.rows(runs[:1]), f"1,000 documents, {where}"
    assert value_of(rows, "disk bytes per document", f"{label}, shards") == 256
    assert value_of(rows, "phase seconds", f"{label}, index, what was left") == pytest.approx(1_000**1.25 / 1e5)
    assert value_of(rows, "disk bytes per document", f"{label}, graph, computed for one copy") == 100
    assert value_of(rows, "peak MB", f"{label}, encode, encoder alone") == 501
    assert set(growth.exponents(runs)["variant"]) == {where}


def test_a_run_in_two_attempts_counts_only_where_nothing_was_done_twice(runs):
    runs[1] = run(4_000, resumed=3_000, seconds={"encode": 0.1, "upsert": 0.1, "index": 4_000**1.25 / 100_000})
    fits = growth.fits(runs)
    assert {what for what, each in fits.items() if each.points == 3} == {"encode seconds", "total seconds"}
    assert fits["encode seconds"].exponent == pytest.approx(1)
    assert growth.points(runs, "index seconds")[0] == SIZES


def test_memory_that_did_not_rise_has_no_logarithm_and_no_fit():
    flat = {"start": 5e8, "encode": 5e8, "index": 5e8, "search": 4e8}
    fits = growth.fits([run(SIZES[0], memory=flat), run(SIZES[1], memory=flat), *map(run, SIZES[2:])])
    assert set(growth.GROWING) - set(fits) == {"peak memory above the start"}


@pytest.mark.parametrize("change", [{"dimension": 32}, {"words_once": False}, {"corpus": "TREC-COVID"}, {"model": "b"}])
def test_runs_that_differ_in_more_than_size_are_not_fitted_together(runs, change):
    with pytest.raises(WorkbookError, match="differ in their size alone, not of 2 kinds"):
        growth.fits([*runs, run(100, **change)])


def test_too_few_runs_are_refused(runs):
    with pytest.raises(WorkbookError, match="3 sizes from 10,000 documents on: measure more"):
        growth.fits(runs, 10_000)


def test_exponents_are_rows_that_say_which_runs_they_rest_on(runs):
    rows = growth.exponents(runs)
    assert value_of(rows, "growth exponent", "index seconds") == pytest.approx(1.25)
    assert value_of(rows, "growth r2", "index seconds") == pytest.approx(1)
    assert set(rows["n"]) == {4} and set(rows.columns) <= set(results.COLUMNS)
    assert set(rows["metric"]) == {"growth exponent", "growth r2"}
    rows = growth.exponents(runs, smallest=2_000)
    assert set(rows["n"]) == {3} and set(rows["note"]) == {"from 2,000 documents"}


def test_every_row_of_a_run_has_its_number_of_documents(runs):
    rows = growth.rows(runs)
    assert set(rows.columns) <= set(results.COLUMNS)
    assert rows["key"].tolist() == [f"key-{count}" for count in rows["documents"]] and rows["part"].notna().all()
    assert not rows.duplicated(["documents", "part", "metric"]).any()


def test_a_run_in_rows():
    rows = growth.rows([run(4_000)])
    index = 4_000**1.25 / 100_000
    seconds = {"encode": 4, "upsert": 0.4, "index": index, "total": 4.4 + index, "busy encode": 4_000 / 1_100}
    for phase, value in {**seconds, "busy upsert": 1}.items():
        assert value_of(rows, "phase seconds", f"4,000 documents, {phase}") == pytest.approx(value)
    assert value_of(rows, "documents/s", f"4,000 documents, {growth.SEARCHED}") == pytest.approx(4_000 / (4.4 + index))
    words = value_of(rows, "words/s", f"4,000 documents, {growth.SEARCHED}")
    assert words == pytest.approx(160 * 4_000 / (4.4 + index))
    assert value_of(rows, "distinct words", f"4,000 documents, {growth.SEARCHED}") == 80_000
    assert value_of(rows, "peak MB", "4,000 documents, encode") == 501
    assert value_of(rows, "disk bytes per document", "4,000 documents, graph") == 100
    searched = rows[rows["search"] == "rescore-x3"].set_index("metric")
    latency, precision = searched.loc["latency ms"], searched.loc["ann precision@10"]
    assert latency[["value", "low", "high", "n"]].tolist() == [2, 1, 9, 3]
    expected = statistics.mean(pd.Series([1.0, 0.9, 0.8, 0.9]))
    assert precision[["value", "low", "high", "n"]].tolist() == list(expected[:4])
    assert not rows["metric"].eq("resumed documents").any()


def test_a_run_in_two_attempts_and_one_of_the_librarys_tokenization_say_so():
    rows = growth.rows([run(4_000, resumed=3_000), run(4_000, words_once=False)])
    assert not rows.duplicated(["variant", "part", "metric"]).any()
    assert value_of(rows, "resumed documents", "4,000 documents, encoded by interrupted attempts") == 3_000
    assert value_of(rows, "phase seconds", "4,000 documents, library's tokenization, encode") == 4


def test_several_processes_are_told():
    rows = growth.rows([run(4_000, job=run(4_000).job._replace(processes=2))])
    assert value_of(rows, "phase seconds", "4,000 documents, 2 processes, encode") == 4


def test_repeats_are_one_row_with_its_range():
    job = run(4_000).job
    repeats = [
        run(
            4_000,
            job=job._replace(repeat=repeat),
            total_seconds=seconds,
            latency=[seconds / 1000],
            precision=[1.0, share],
        )
        for repeat, (seconds, share) in enumerate([(4.0, 0.5), (5.0, 0.7), (8.0, 0.9)])
    ]
    rows = growth.rows(repeats).set_index(["metric", "part"])
    columns = ["value", "low", "high", "n"]
    assert rows.loc[("phase seconds", "total"), columns].tolist() == [5, 4, 8, 3]
    assert rows.loc[("documents/s", growth.SEARCHED), columns].tolist() == [
        800,
        500,
        1000,
        3,
    ]
    assert rows.loc[("latency ms", growth.SEARCHED), columns].tolist() == [5, 4, 8, 3]
    precision = rows.loc[("ann precision@10", growth.SEARCHED)]
    assert precision["value"] == pytest.approx(0.85)
    assert precision["n"] == 2, "queries, not repeats"


def test_what_is_given_is_not_changed(runs):
    before = repr(runs)
    growth.rows(runs)
    growth.exponents(runs)
    assert repr(runs) == before
