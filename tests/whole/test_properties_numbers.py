"""What holds of any numbers: rules that hypothesis tries to break with vectors, scores and records."""

import engine_codes
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from workbook.corpora.corpora import Corpus
from workbook.embedding import vectors
from workbook.evaluation import evaluation, results, statistics
from workbook.figures import answer_plots
from workbook.qdrant import engine, quantization
from workbook.qdrant.engine import ALL, Search
from workbook.qdrant.quantization import SETTINGS

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)  # denormal, 3e38 and -0.0 included
shapes = st.tuples(st.integers(1, 6), st.integers(1, 20))
any_vectors = arrays.arrays(np.float32, shapes, elements=finite)
scores = st.lists(st.floats(0, 1), min_size=2, max_size=40).map(pd.Series)
DIMENSIONS = st.integers(1, 300)
codes_known = st.sampled_from([SETTINGS["binary"], SETTINGS["scalar-int8"]])


@st.composite
def paired(draw, least=0.0):
    """Scores of some queries, and others of the same, `least` or more; two that differ do so in the first 9 decimals.

    Resamples are drawn from the queries in the order of their scores, so a factor that makes two scores equal
    (half of 5e-324 is 0) draws others.
    """
    n = draw(st.integers(2, 30))
    one, other = (draw(st.lists(st.floats(own, 1), min_size=n, max_size=n)) for own in (0, least))
    return pd.Series(one).round(9), pd.Series(other).round(9)


@given(any_vectors, st.data())
def test_truncated_vectors_are_of_length_1_or_0_and_point_where_they_did(rows, data):
    dimension = data.draw(st.integers(1, rows.shape[1]))
    kept = vectors.truncate(rows, dimension)
    assert kept.dtype == np.float32 and kept.shape == (len(rows), dimension)
    whole = rows[:, :dimension].astype(np.longdouble)
    lengths = np.sqrt((whole**2).sum(axis=1, keepdims=True))
    expected = np.divide(whole, lengths, out=np.zeros_like(whole), where=lengths > 0)
    np.testing.assert_allclose(kept, expected.astype(np.float64), rtol=1e-5, atol=1e-6)


@given(any_vectors, st.data())
def test_to_truncate_twice_is_to_truncate_once(rows, data):
    first = data.draw(st.integers(1, rows.shape[1]))
    second = data.draw(st.integers(1, first))
    assume((np.abs(rows[:, :second]).max(axis=1) > np.abs(rows).max(axis=1) / 1e6).all())  # else rounding has its say
    twice = vectors.truncate(vectors.truncate(rows, first), second)
    np.testing.assert_allclose(twice, vectors.truncate(rows, second), rtol=1e-5, atol=1e-6)


@given(any_vectors, st.integers(-60, 60))
def test_truncated_vectors_do_not_depend_on_scale_or_layout(rows, exponent):
    rows = np.clip(rows, -1e9, 1e9).round(3)
    dimension = max(1, rows.shape[1] // 2)
    expected = vectors.truncate(rows, dimension)
    np.testing.assert_array_equal(vectors.truncate(np.ldexp(rows, exponent), dimension), expected)
    for other in (np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2], rows[::-1][::-1]):
        np.testing.assert_allclose(vectors.truncate(other, dimension), expected, rtol=1e-6)


def test_truncated_vectors_of_a_file_are_those_of_memory_and_the_file_stays(tmp_path):
    rows = np.random.default_rng(0).standard_normal((50, 12)).astype(np.float32) * np.float32(1e30)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    np.testing.assert_array_equal(vectors.truncate(mapped, 5), vectors.truncate(rows, 5))
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), rows)


@given(st.sampled_from(list(SETTINGS.values())), DIMENSIONS)
def test_more_dimensions_take_no_fewer_bytes_and_codes_fewer_than_numbers(setting, dimension):
    own = setting.bytes_per_vector(dimension)
    assert 0 < own <= setting.bytes_per_vector(dimension + 1)
    assert (own - setting.overhead) % setting.block == 0
    assert dimension * setting.bits / 8 <= own - setting.overhead < dimension * setting.bits / 8 + setting.block
    if dimension >= 16 and setting.config:
        assert own < SETTINGS["float32"].bytes_per_vector(dimension)


@given(codes_known, arrays.arrays(np.float32, shapes, elements=st.floats(-1, 1, width=32)))
def test_codes_keep_the_order_of_numbers_and_fill_their_bytes(setting, rows):
    codes = engine_codes.computed(setting, rows)
    n, dimension = rows.shape
    assert codes.dtype == np.uint8 and len(codes) == n
    if setting.family == "binary":
        assert codes.shape[1] == setting.bytes_per_vector(dimension)
        bits = np.unpackbits(codes, axis=1, bitorder="little")
        np.testing.assert_array_equal(bits[:, :dimension], rows > 0)
        assert not bits[:, dimension:].any()
    else:
        assert codes.shape == rows.shape and codes.max() <= 127
        order = np.argsort(rows, axis=None)
        assert (np.diff(codes.ravel()[order].astype(int)) >= 0).all()


@given(arrays.arrays(np.float32, st.tuples(st.integers(2, 6), st.integers(1, 70)), elements=finite))
def test_binary_scores_count_agreeing_signs(rows):
    found = quantization.binary_scores(rows, rows)
    agreeing = ((rows > 0)[:, np.newaxis] == (rows > 0)).sum(axis=2)
    np.testing.assert_array_equal(found, 2 * agreeing - rows.shape[1])


@given(scores)
def test_an_interval_lies_within_the_scores_and_holds_its_estimate(values):
    interval = statistics.mean(values)
    low, high = values.min() - 1e-12, values.max() + 1e-12
    assert low <= interval.low <= interval.high <= high
    assert interval.value == pytest.approx(values.mean()) and interval.n == len(values)


@given(scores, st.floats(-10, 10), st.floats(0.01, 100))
def test_an_interval_shifts_and_grows_with_its_scores(values, shift, factor):
    before, after = statistics.mean(values), statistics.mean(values * factor + shift)
    assert after[:3] == pytest.approx([factor * end + shift for end in before[:3]], abs=1e-9)
    turned = statistics.mean(-values)
    width = before.high - before.low
    assert -turned.value == pytest.approx(before.value)
    assert [-turned.high, -turned.low] == pytest.approx([before.low, before.high], abs=0.1 * width + 1e-12)


@given(paired(least=0.01), st.floats(0.01, 100))
def test_a_difference_turns_around_and_a_share_has_no_unit(pair, factor):
    values, baseline = pair
    there, back = statistics.mean_difference(values, baseline), statistics.mean_difference(baseline, values)
    assert there.value == pytest.approx(-back.value, abs=1e-12)
    assert np.isnan(there.low) == (len(values) < statistics.MIN_QUERIES) and not there.low - 1e-12 > there.high
    share, scaled = statistics.share_kept(values, baseline), statistics.share_kept(factor * values, factor * baseline)
    assert share[:3] == pytest.approx(scaled[:3])
    assert 0 <= share.low <= share.high <= (values / baseline).max() + 1e-9


@settings(max_examples=30)
@given(paired(), st.randoms(use_true_random=False))
def test_the_order_of_queries_does_not_matter(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    shuffled = [series.iloc[order] for series in pair]
    np.testing.assert_equal(statistics.mean_difference(*shuffled), statistics.mean_difference(*pair))
    np.testing.assert_equal(statistics.mean(shuffled[0]), statistics.mean(pair[0]))


@settings(max_examples=40)
@given(st.lists(paired(), min_size=1, max_size=4), st.floats(0.001, 1))
def test_word_colour_and_whisker_agree(pairs, margin):
    """Of every comparison, in a family or alone: what is said, what is drawn, and the ends of what is drawn."""
    for pair, found in zip(pairs, statistics.verdicts(pairs, margin), strict=True):
        _, low, high, n, error = found.difference
        verdict = statistics.decide(found.difference, margin)
        assert found.verdict == verdict and statistics.told(found.difference, margin).startswith(verdict)
        drawn = answer_plots.LOOKS[verdict]
        assert (drawn == answer_plots.LOOKS[statistics.BETTER]) == (low > 0)
        assert (drawn == answer_plots.LOOKS[statistics.WORSE]) == (high < 0)
        grey = drawn == answer_plots.LOOKS[statistics.NOT_SETTLED]
        assert not grey or np.isnan(low) or low <= 0 <= high, "a grey point lies on neither side of zero"
        assert np.isnan(low) == np.isnan(error) == (n < statistics.MIN_QUERIES), "too few queries have no whisker"
        assert (verdict == statistics.EQUAL) == (-margin < low <= 0 <= high < margin)
        assert (found.queries_needed is None) == (verdict != statistics.NOT_SETTLED or n < 2)
        if found.queries_needed is not None:
            assert found.queries_needed > n or n < statistics.MIN_QUERIES
        alone = statistics.mean_difference(*pair)
        assert np.isnan(low) or (low <= alone.low + 1e-3 and high >= alone.high - 1e-3), "a family only widens"


@given(st.floats(0.0001, 1), st.floats(1, 10))
def test_a_wider_margin_takes_no_more_queries(margin, factor):
    assert statistics.fewest(margin) >= statistics.fewest(margin * factor) >= 1
    assert (1 - margin) ** statistics.fewest(margin) <= 0.05


@given(st.integers(0, 500), st.integers(0, 2**32))
def test_halves_part_the_queries(n, seed):
    one, other = statistics.halves(n, seed)
    assert len(one) == n // 2 and sorted([*one, *other]) == list(range(n))
    assert list(one) == sorted(one) and list(other) == sorted(other)


@st.composite
def judged_runs(draw):
    """A corpus of up to five queries, and for each what an engine might return: ids, -1 at the end, and scores."""
    n, queries = draw(st.integers(2, 25)), [f"q{number}" for number in range(draw(st.integers(1, 5)))]
    documents = [f"d{number}" for number in range(n)]
    qrels = {
        query: draw(st.dictionaries(st.sampled_from(documents), st.integers(-3, 4), min_size=1)) for query in queries
    }
    limit = draw(st.integers(1, n))
    found = [draw(st.permutations(range(n))) for _ in queries]
    hits = [draw(st.integers(0, limit)) for _ in queries]
    ids = np.array([[*own[:many], *[-1] * (limit - many)] for own, many in zip(found, hits, strict=True)])
    levels = arrays.arrays(np.float32, ids.shape, elements=st.integers(-3, 3))
    scored = np.where(ids >= 0, -np.sort(-draw(levels), axis=1), -np.inf).astype(np.float32)
    return Corpus("any", dict.fromkeys(documents), dict.fromkeys(queries, "text"), qrels), ids, scored, documents


@given(judged_runs())
def test_scores_lie_between_0_and_1_and_any_hit_has_a_rank(run):
    corpus, *hits = run
    judged = evaluation.judge(corpus, evaluation.order_ties(*hits))
    assert list(judged.columns) == list(evaluation.METRICS) and list(judged.index) == list(corpus.queries)
    assert ((judged >= 0) & (judged <= 1)).all(axis=None)
    ten = judged["mrr@10"] > 0
    assert (ten == (judged["ndcg@10"] > 0)).all() and (judged["recall@100"][ten] > 0).all()


@given(judged_runs(), st.floats(0.1, 100), st.floats(-100, 100))
def test_only_the_order_of_scores_counts(run, factor, shift):
    _, ids, scored, documents = run
    ordered = evaluation.order_ties(ids, scored, documents)
    assert evaluation.order_ties(ids, factor * scored.astype(float) ** 3 + shift, documents) == ordered
    assert [len(ranking) for ranking in ordered] == (ids >= 0).sum(axis=1).tolist()


@given(judged_runs())
def test_the_scores_of_ties_lie_in_their_range(run):
    corpus, *hits = run
    low, high = evaluation.tie_range(corpus, *hits)
    own = evaluation.judge(corpus, evaluation.order_ties(*hits))["ndcg@10"].mean()
    assert 0 <= low <= own + 1e-12 <= high + 2e-12 <= 1 + 3e-12
    if evaluation.tie_rate(hits[1], depth=hits[1].shape[1]) == 0:
        assert low == high == own


@given(judged_runs(), st.integers(0, 60))
def test_what_nobody_judged_takes_up_room_and_nothing_else(run, more):
    corpus, *hits = run
    rankings = evaluation.order_ties(*hits)
    judged = evaluation.judge(corpus, rankings)
    after = [[*ranking, *(f"new{number}" for number in range(more))] for ranking in rankings]
    pd.testing.assert_frame_equal(evaluation.judge(corpus, after), judged)
    before = evaluation.judge(corpus, [[f"new{number}" for number in range(more)] + ranking for ranking in rankings])
    assert (before <= judged).all(axis=None)


@given(judged_runs())
def test_a_better_ranking_never_scores_less(run):
    corpus, *hits = run
    rankings = evaluation.order_ties(*hits)
    sorted_ = [
        sorted(ranking, key=lambda document: -corpus.qrels[query].get(document, 0))
        for query, ranking in zip(corpus.queries, rankings, strict=True)
    ]
    assert (evaluation.judge(corpus, sorted_) >= evaluation.judge(corpus, rankings) - 1e-12).all(axis=None)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), st.integers(0, 5), st.data())
def test_ann_precision_is_a_share_of_the_exact_that_is_as_near(near, missing, data):
    nothing = [-np.inf] * missing
    exact = np.array([[*sorted(near, reverse=True), *nothing]], dtype=float)
    shuffled = np.array([[*data.draw(st.permutations(near)), *nothing]], dtype=float)
    assert evaluation.ann_precision(shuffled, exact).tolist() == [1]
    worse = np.where(shuffled == max(near), min(near) - 1, shuffled)
    left = sum(each < max(near) for each in near)
    assert evaluation.ann_precision(worse, exact) == pytest.approx([left / len(near)])
    assert evaluation.ann_precision(np.full_like(exact, min(near)), exact).tolist() == [1], "as near as the last"
    assert evaluation.ann_precision(np.full_like(exact, -np.inf), exact).tolist() == [0]


plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text())
records = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(st.dictionaries(st.text(), records, min_size=1), st.randoms(use_true_random=False))
def test_the_key_of_a_record_is_its_content_in_any_order(about, random):
    items = list(about.items())
    random.shuffle(items)
    assert results.key_of(dict(items)) == results.key_of(about)
    name = items[0][0]
    assert results.key_of({**about, name: [about[name]]}) != results.key_of(about)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(8, 40), st.integers(60, 90), st.integers(1, 120), st.integers(-2, 15))
def test_exact_search_finds_what_numpy_finds_and_so_does_the_whole_graph(seed, dimension, n, limit, exponent):
    """Queries of any length but the smallest: below 0.0003 the engine does not scale them, and so their scores."""
    random = np.random.default_rng(seed)
    rows = vectors.truncate(random.standard_normal((n, dimension)).astype(np.float32), dimension)
    queries = (random.standard_normal((3, dimension)) * 10.0**exponent).astype(np.float32)
    cosines = (
        queries.astype(float) @ rows.T.astype(float) / np.linalg.norm(queries.astype(float), axis=1)[:, np.newaxis]
    )
    best = -np.sort(-cosines, axis=1)[:, :limit]
    with engine.build(rows) as index:
        for search in (Search(exact=True), Search(hnsw_ef=ALL)):
            hits = index.search(queries, limit, search)
            np.testing.assert_allclose(hits.scores, best, atol=1e-5)
            np.testing.assert_allclose(np.take_along_axis(cosines, hits.ids, axis=1), best, atol=1e-5)
            assert all(len(set(row)) == min(limit, n) for row in hits.ids.tolist())
