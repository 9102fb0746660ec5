"""Recommendations on planted cells: what is chosen, what the other half says of it, and what would decide."""

import numpy as np
import pandas as pd
import pytest
from workbook.conclusions import recommend
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.experiments import footprint, grid
from workbook.experiments.grid import Cell

N = 600  # as few as the margin of 0.01 takes
SCORES = np.random.default_rng(0).uniform(0.3, 0.9, N)
NOISE = 0.02 * np.random.default_rng(1).standard_normal(N)


def cell(setting, size, ms, scores=SCORES, search="default-ef", model="a"):
    judgements = pd.DataFrame({"ndcg@10": scores}, index=pd.Index(map(str, range(len(scores))), name="query"))
    latency = [] if search == "exact" else [ms / 1000, ms / 1000, 1]  # the slowest is an outlier, and no median
    return Cell(model, 64, setting, search, setting, 10, judgements, "sha", 0, [0, 0], size, 0, 0, [], latency)


WHOLE, GRAPH = cell("float32", 256, 0, search="exact"), cell("float32", 256, 4)


def halves(seed=0):
    """Which queries choose."""
    choosing = np.zeros(N, dtype=bool)
    choosing[np.random.default_rng(seed).permutation(N)[: N // 2]] = True
    return choosing


def chosen(found):
    return {choice.role: choice.cell.setting for choice in found.choices}


def test_each_role_gets_its_cell_among_those_within_the_margin():
    found = recommend.choose(
        [
            WHOLE, GRAPH, cell("scalar-int8", 68, 1.0), cell("turbo-4bit", 40, 1.5), cell("binary-2bit", 16, 9),
            cell("binary", 8, 0.5, SCORES - 0.05 + NOISE),
        ]
    )  # fmt: skip
    assert chosen(found) == {"smallest": "binary-2bit", "fastest": "scalar-int8", "balanced": "turbo-4bit"}
    assert all(
        choice.verdict == "equal within 0.01" and choice.confirmed and choice.difference.n == N / 2
        for choice in found.choices
    )
    assert all(choice.difference.value == 0 and choice.queries_needed is None for choice in found.choices)


@pytest.mark.parametrize(
    ("role", "one", "other"),
    [
        ("smallest", (8, 2.0), (8, 1.0)),
        ("fastest", (16, 1.0), (8, 1.0)),
        ("balanced", (16, 1.0), (8, 2.0)),
    ],
)
def test_a_tie_goes_to_the_better_in_what_is_left(role, one, other):
    found = recommend.choose([WHOLE, cell("binary", *one), cell("turbo-1bit", *other)])
    assert chosen(found)[role] == "turbo-1bit"


def test_exact_and_full_ef_are_no_candidates():
    untimed = cell("binary", 8, 1, search="exact")
    assert chosen(recommend.choose([WHOLE, GRAPH, untimed])) == dict.fromkeys(recommend.ROLES, "float32")


@pytest.fixture(scope="module")
def choosing():
    return halves()


@pytest.mark.parametrize("seed", [0, 1])
def test_half_of_the_queries_choose_drawn_by_the_seed(seed):
    for query, chooses in list(enumerate(halves(seed)))[:20]:
        spoilt = SCORES.copy()
        spoilt[query] -= 100  # so large that the half it is in shows nothing
        choices = recommend.choose([WHOLE, cell("binary", 1, 1, spoilt)], seed=seed).choices
        assert (not choices) == chooses
    assert 0 < halves(seed)[:20].sum() < 20, "drawn, not the first half"
    assert (halves(0) != halves(1)).any()


def test_what_only_the_choosing_half_likes_is_not_confirmed_and_nothing_replaces_it(choosing):
    lucky = SCORES + np.where(choosing, 0.05, -0.05) + NOISE
    found = recommend.choose([WHOLE, GRAPH, cell("scalar-int8", 68, 2), cell("binary", 8, 1, lucky)])
    assert set(chosen(found).values()) == {"binary"}
    assert {(choice.verdict, choice.confirmed) for choice in found.choices} == {("worse", False)}
    assert found.choices[0].difference.value == pytest.approx((lucky - SCORES)[~choosing].mean())
    assert "Smallest, fastest, balanced: binary, 64 dimensions, default-ef, 8 bytes" in recommend.summary(found)
    assert "not confirmed, worse on the queries that report" in recommend.summary(found)


def test_a_choice_that_the_other_half_leaves_open_says_how_many_queries_would_decide(choosing):
    changed = SCORES.copy()
    changed[~choosing] += np.resize([0.2, -0.2], N // 2)  # 0 on the mean, but far from certain
    found = recommend.choose([WHOLE, GRAPH, cell("binary", 8, 9, changed)])
    smallest = found.choices[0]
    assert (smallest.cell.setting, smallest.verdict, smallest.confirmed) == ("binary", "not settled", False)
    (half,) = statistics.verdicts([(pd.Series(changed)[~choosing], pd.Series(SCORES)[~choosing])])
    assert smallest.queries_needed == 2 * half.queries_needed
    assert f"{2 * half.queries_needed:,} queries in all might decide" in recommend.summary(found)
    assert found.choices[1].cell is GRAPH and found.choices[1].confirmed


def test_a_cell_chosen_three_times_is_tested_once(choosing):
    """Its interval alone just rules out a loss of the margin: adjusted for three it would not."""
    changed = SCORES.copy()
    changed[~choosing] += np.resize([0.085, -0.085], N // 2)
    reporting = pd.Series(changed)[~choosing], pd.Series(SCORES)[~choosing]
    other = reporting[0] + 0.1 * np.random.default_rng(2).standard_normal(N // 2), reporting[1]
    assert statistics.keeps(statistics.differences([reporting])[0], 0.01)
    assert not statistics.keeps(statistics.differences([reporting, other, other])[0], 0.01)
    assert all(choice.confirmed for choice in recommend.choose([WHOLE, cell("binary", 8, 1, changed)]).choices)


def test_if_nothing_is_within_the_margin_it_says_what_would_decide():
    open_, opener = (SCORES + factor * np.resize([1, -1, -1, 1], N) for factor in (0.2, 0.4))
    found = recommend.choose([WHOLE, cell("binary", 8, 1, opener), cell("scalar-int8", 68, 2, open_)])
    assert found.choices == [] and found.closest.setting == "scalar-int8"
    assert found.queries_needed > N
    text = recommend.summary(found)
    assert "show nothing within 0.01 of the whole float32 vector (64 dimensions) searched exactly" in text
    assert f"scalar-int8, 64 dimensions, default-ef: {found.queries_needed:,} queries in all might decide it" in text


def test_where_all_are_worse_only_a_wider_margin_helps():
    cells = [WHOLE, cell("binary", 8, 1, SCORES - 0.05 + NOISE)]
    found = recommend.choose(cells)
    assert (found.choices, found.closest) == ([], None)
    assert "only a wider margin" in recommend.summary(found)
    assert chosen(recommend.choose(cells, margin=0.1))["smallest"] == "binary"


@pytest.mark.parametrize(("n", "decides"), [(20, False), (599, False), (600, True)])
def test_too_few_queries_choose_nothing(n, decides):
    found = recommend.choose([cell("float32", 256, 0, SCORES[:n], "exact"), cell("binary", 8, 1, SCORES[:n])])
    assert bool(found.choices) == decides
    assert (f"{n} queries are too few" in recommend.summary(found)) != decides


@pytest.mark.parametrize(("score", "decides"), [(0.04, False), (0.06, True)])
def test_a_margin_that_is_most_of_the_score_chooses_nothing(score, decides):
    scores = np.full(N, score)
    found = recommend.choose([cell("float32", 256, 0, scores, "exact"), cell("binary", 8, 1, scores)])
    assert bool(found.choices) == decides
    assert ("a scores 0.040 here" in recommend.summary(found)) != decides


def test_the_wider_the_margin_the_fewer_queries_it_takes():
    cells = [cell("float32", 256, 0, SCORES[:60], "exact"), cell("binary", 8, 1, SCORES[:60])]
    assert recommend.choose(cells, margin=0.1).choices
    assert "60 queries are too few" in recommend.summary(recommend.choose(cells, margin=0.05))
    assert "120 are the least, or a margin of 0.1." in recommend.summary(recommend.choose(cells, margin=0.05))


def test_latencies_that_differ_by_less_than_the_noise_are_equal():
    found = recommend.choose([WHOLE, cell("scalar-int8", 68, 0.101), cell("binary", 8, 0.104)])
    assert chosen(found)["fastest"] == "binary"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([WHOLE, cell("binary", 8, 1, model="b")], r"cells of 2 models \(a, b\)"),
        ([], "cells of 0 models"),
        ([WHOLE], "no search that one would run"),
        ([GRAPH], "0 cells with .*exact"),
    ],
)
def test_cells_that_leave_no_choice_are_refused(cells, message):
    with pytest.raises(WorkbookError, match=message):
        recommend.choose(cells)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The sample, tiny-static, and what to use of it with a margin that 25 queries can tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbook.paths.DATA", tmp_path_factory.mktemp("data"))
        patch.setattr(recommend, "LARGEST_SHARE", 1)
        sample, encoder = corpora.load("sample"), encoders.load("tiny-static")
        cells = grid.measure(
            sample, encoder, [64, 16], ["float32", "scalar-int8"], ["exact", "default-ef", "rescore-x2"], repeats=1
        )
        found = recommend.choose(cells, margin=0.6)
        yield sample, found, footprint.weigh(sample, encoder, [choice.cell for choice in found.choices])


def test_what_a_million_vectors_weigh(measured):
    _, found, weights = measured
    smallest = found.choices[0].cell
    assert (smallest.setting, smallest.dimension) == ("scalar-int8", 16)
    gigabytes = weights[(weights["setting"] == "scalar-int8") & (weights["dimension"] == 16)].set_index("part")["value"]
    assert gigabytes["codes"] == pytest.approx(20e6 / 1e9), "a byte for each dimension and four for the vector"
    graph = gigabytes["RAM, originals on disk"] - gigabytes["codes"]
    assert graph > 0
    assert gigabytes["in all"] == pytest.approx(0.020 + graph + 16 * 4e6 / 1e9)


def test_float32_weighs_its_vectors_and_graph_only(measured, data):
    sample, _, _ = measured
    choice = recommend.Choice("fastest", GRAPH, statistics.Interval(0, 0, 0, N), "equal within 0.01", True, None)
    parts = footprint.weigh(sample, encoders.load("tiny-static"), [choice.cell]).set_index("part")["value"]
    assert list(parts.index) == ["codes", "in all"]
    assert parts["codes"] == pytest.approx(0.256)
    shown = recommend.table([choice], parts.reset_index().assign(dimension=64, setting="float32"))
    assert shown["GB per million: RAM, originals on disk"].tolist() == [""]


def test_the_table_says_each_choice_in_the_words_of_people(measured):
    _, found, weights = measured
    shown = recommend.table(found.choices, weights)
    assert shown["choice"].tolist() == ["smallest", "fastest", "balanced"]
    first, smallest = shown.iloc[0], found.choices[0]
    assert first[["setting", "dimensions", "search"]].tolist() == ["scalar-int8", 16, smallest.cell.search]
    assert first["NDCG@10 difference"] == str(smallest.difference)
    assert first["GB per million: codes"] == "0.020"
    milliseconds = np.array(smallest.cell.latency) * 1000
    expected = f"{np.median(milliseconds):.2f} [{milliseconds.min():.2f}, {milliseconds.max():.2f}]"
    assert first["latency (ms)"] == expected


def test_the_rows_can_be_published(measured):
    sample, found, weights = measured
    rows = pd.concat([recommend.rows(sample.name, found), weights])
    assert set(rows.columns) <= set(results.COLUMNS)
    reported = rows[rows["metric"] == "ndcg@10 difference"]
    assert reported["scenario"].tolist() == list(recommend.ROLES) and set(reported["margin"]) == {found.margin}
    verdicts = [f"confirmed, {choice.verdict} (margin {found.margin:g})" for choice in found.choices]
    assert reported["note"].tolist() == verdicts and set(reported["part"]) == {"on queries that did not choose it"}
    assert (reported["n"] == 13).all(), "the larger half of 25 reports"
    assert reported["value"].tolist() == [choice.difference.value for choice in found.choices]
