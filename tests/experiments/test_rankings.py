"""A ranking follows from the documents alone: not from the order of a file, a cut through equals, or nothing known."""

from dataclasses import replace

import numpy as np
import pytest
from workbook import names
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import corpus_facts, evaluation, statistics
from workbook.evaluation.metrics import METRICS
from workbook.experiments import grid, rankings, retrieval_methods
from workbook.qdrant import bm25, engine
from workbook.qdrant.bm25 import Bm25
from workbook.qdrant.engine import Search

EXACT = Search(exact=True)
MODELS = ["tiny-static", pytest.param("tiny-transformer", marks=pytest.mark.slow)]
KNOWN = ["bank", "river", "money", "city", "water", "account", "bridge", "stone", "winter", "garden"]


@pytest.fixture(scope="module")
def pairs():
    """300 documents of two words, so that each word is asked for in many that score alike."""
    random, documents, qrels = np.random.default_rng(0), {}, {}
    for number in range(300):
        one, other = random.choice(KNOWN, 2, replace=False)
        documents[f"d{number:03d}"] = Document("", f"{one} {other}")
    for word in KNOWN:
        having = [key for key, document in documents.items() if word in document.text]
        qrels[f"q-{word}"] = dict.fromkeys(random.choice(having, 3, replace=False), 1)
    queries = {query: query[2:] for query in qrels}
    return Corpus("pairs", documents, queries, qrels)


def reordered(corpus, seed):
    keys = np.random.default_rng(seed).permutation(list(corpus.documents))
    return replace(corpus, documents={str(key): corpus.documents[key] for key in keys})


def with_unknown(corpus):
    """The same, with two queries of which no model knows a word; one of them names a word that a document has."""
    documents = {**corpus.documents, "zz": Document("", "Ψυχή")}
    queries = {**corpus.queries, "q-1": "Ψυχή", "q-2": "Ωμέγα"}
    qrels = {**corpus.qrels, "q-1": {"zz": 1}, "q-2": {"zz": 1, "d299": 1}}
    return Corpus("unknown", documents, queries, qrels)


def judged(corpus, name):
    by = retrieval_methods
    asked = [*by.bm25_alone(corpus), *by.bm25_variants(corpus, "edge")]
    asked += by.with_models(corpus, {name: encoders.load(name)})
    found = by.measure(corpus, asked, repeats=1)
    return {each.label: each for each in found}


@pytest.mark.parametrize("name", MODELS)
def test_the_order_of_the_file_moves_no_score(pairs, data, name):
    corpus = with_unknown(pairs)
    orders = [judged(each, name) for each in (corpus, reordered(corpus, 1), reordered(corpus, 2))]
    for label, first in orders[0].items():
        for other in orders[1:]:
            assert other[label].judgements.equals(first.judgements), label
            assert (other[label].tie_rate, other[label].tie_range) == (first.tie_rate, first.tie_range), label
            assert other[label].nothing_found == first.nothing_found
    assert orders[0][names.BM25].tie_rate > 0.9, "this corpus is made of ties"


@pytest.mark.parametrize("name", MODELS)
def test_two_tables_of_one_search_agree(pairs, data, name):
    encoder = encoders.load(name)
    alone = judged(pairs, name)[name].judgements
    [cell] = grid.measure(pairs, encoder, [encoder.dimensions], ["float32"], ["exact"])
    assert cell.judgements.equals(alone)
    [ten] = grid.measure(pairs, encoder, [encoder.dimensions], ["float32"], ["exact"], limit=10)
    assert ten.judgements["ndcg@10"].equals(alone["ndcg@10"])


def test_bm25_puts_all_equals_in_trec_evals_order(pairs, data):
    model = Bm25(bm25.average_words(pairs.document_texts))
    documents, queries = model.documents(pairs.document_texts), model.queries(pairs.query_texts)
    scores = bm25.scores(queries, documents).round(4)
    expected = evaluation.order_all(np.where(scores > 0, scores, -np.inf), pairs.document_ids)
    with engine.build(None, words=documents) as index:
        hits = rankings.by_words(index, queries, 10)
    assert [each[:10] for each in evaluation.order_ties(hits.ids, hits.scores, pairs.document_ids)] == [
        each[:10] for each in expected
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_finds_nothing_for_a_query_it_knows_nothing_of(pairs, data, name):
    corpus = with_unknown(pairs)
    found = judged(corpus, name)
    unknown = ["q-1", "q-2"]
    assert found[name].nothing_found == 2 and (found[name].judgements.loc[unknown] == 0).all(axis=None)
    assert found[names.BM25].nothing_found == 1, "no document has the other word"
    for fusion in engine.FUSIONS:
        both = found[f"{name} + BM25 ({fusion})"]
        assert both.nothing_found == 1
        words = found[names.BM25].judgements
        assert both.judgements.loc[unknown].equals(words.loc[unknown]), "it goes by the words alone"
        assert both.judgements.loc["q-1", "ndcg@10"] == 1
    rows = retrieval_methods.rows(corpus, list(found.values()))
    told = rows[rows["metric"] == "queries it finds nothing for"].set_index("method")
    assert told.loc[name, "value"] == 2 and told.loc[name, "n"] == 12
    assert retrieval_methods.table(list(found.values()), name).loc[name, "queries it finds nothing for"] == 2


@pytest.mark.parametrize("search", ["exact", "full-ef", "default-ef", "rescore-x2"])
@pytest.mark.parametrize("setting", ["float32", "binary", "scalar-int8"])
def test_no_code_and_no_search_makes_something_of_nothing(pairs, data, setting, search):
    if (setting == "float32") == search.startswith("rescore") or (setting != "float32" and search == "exact"):
        return
    corpus = with_unknown(pairs)
    [cell] = grid.measure(corpus, encoders.load("tiny-static"), [64], [setting], [search])
    assert cell.nothing_found == 2
    assert (cell.judgements.loc[["q-1", "q-2"]] == 0).all(axis=None)
    rows = grid.rows(corpus, [cell])
    assert rows[rows["metric"] == "queries it finds nothing for"]["value"].tolist() == [2]
    assert rows[rows["metric"] == "ann precision@10"]["n"].tolist() == [10], "there is nothing to find for the others"


def test_the_engine_fuses_by_these_formulas(unit_vectors):
    random = np.random.default_rng(3)
    texts = [" ".join(random.choice([f"w{n}" for n in range(60)], 30)) for _ in unit_vectors]
    model = Bm25(30)
    words, queries = model.queries(texts[:20]), unit_vectors[20:40]
    ids = [f"{number:03d}" for number in range(len(texts))]
    with engine.build(unit_vectors, words=model.documents(texts)) as index:
        for fusion in engine.FUSIONS:
            ours = rankings.by_both(index, queries, words, EXACT, fusion, ids)
            theirs = index.fuse(queries, words, 200, EXACT, fusion)
            np.testing.assert_allclose(ours.scores, theirs.scores[:, : ours.scores.shape[1]], atol=2e-6)
            assert not np.isfinite(theirs.scores[:, ours.scores.shape[1] :]).any()


def test_another_fusion_than_the_engines_is_noticed(unit_vectors, monkeypatch):
    random = np.random.default_rng(3)
    texts = [" ".join(random.choice([f"w{n}" for n in range(60)], random.integers(20, 40))) for _ in unit_vectors]
    model = Bm25(30)
    ids = [f"{number:03d}" for number in range(len(texts))]
    monkeypatch.setattr(rankings, "RRF_K", 60)
    other = pytest.raises(WorkbookError, match="the engine fuses by rrf with other scores")
    with engine.build(unit_vectors, words=model.documents(texts)) as index, other:
        rankings.by_both(index, unit_vectors[:20], model.queries(texts[20:40]), EXACT, "rrf", ids)


def test_by_hand_fused():
    one = np.array([[3, 1, -1]]), np.array([[0.9, 0.5, -np.inf]])
    other = np.array([[1, 7, 8]]), np.array([[4.0, 2.0, 2.0]])
    by_ranks = rankings.fused([one, other], "rrf")
    assert by_ranks.ids[0].tolist() == [1, 3, 7, 8]
    np.testing.assert_allclose(by_ranks.scores[0], [1 / 3 + 1 / 2, 1 / 2, 1 / 3, 1 / 4])
    by_scores = rankings.fused([one, other], "dbsf")
    # 0.9 and 0.5: mean 0.7, deviation 0.2 sqrt 2; 4, 2, 2: mean 8/3, deviation 2 / sqrt 3
    high, low = 0.5 + 1 / (6 * 2**0.5), 0.5 - 1 / (6 * 2**0.5)
    top, rest = 0.5 + (4 / 3) / (6 * 2 / 3**0.5), 0.5 - (2 / 3) / (6 * 2 / 3**0.5)
    assert by_scores.ids[0].tolist() == [1, 3, 7, 8]
    np.testing.assert_allclose(by_scores.scores[0], [low + top, high, rest, rest], rtol=1e-6)


def test_a_ranking_of_equals_alone_neither_rises_nor_falls():
    alike = np.array([[4, 2]]), np.array([[1.5, 1.5]])
    nothing = np.full((1, 2), -1), np.full((1, 2), -np.inf)
    assert rankings.fused([alike, nothing], "dbsf").scores.tolist() == [[0.5, 0.5]]


def test_ann_precision_counts_equals_as_hits():
    """Every second vector is the same: which of the equals a search finds says nothing of it."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((400, 64)).astype(np.float32)
    rows[::2] = rows[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = rows[[0, 1, 3]]
    precision, alike = {}, {"float32": [Search(hnsw_ef=-1)], "binary": [Search(hnsw_ef=-1), Search(-1, rescore=True)]}
    for setting, searches in alike.items():
        with engine.build(rows, setting, m=64) as index:  # one graph for both searches: another one finds others
            for search in searches:
                found, exact = (
                    evaluation.similarities(queries, index.search(queries, 10, how).ids, lambda ids: rows[ids])
                    for how in (search, EXACT)
                )
                precision[setting, search.rescore] = evaluation.ann_precision(found, exact)
    assert precision["float32", False].tolist() == [1, 1, 1]
    assert precision["binary", True][0] == 1, "200 documents are as near as the tenth"
    assert (precision["binary", True] >= precision["binary", False]).all(), "rescoring takes nothing away"


def test_where_all_documents_score_alike_nothing_is_found(data):
    """A word that each document has once says nothing of any; neither does a model to which all are the same."""
    documents = {f"d{number}": Document("", f"bank {word}") for number, word in enumerate(["river", "money"] * 20)}
    corpus = Corpus("alike", documents, {"q-1": "bank", "q-2": "river"}, {"q-1": {"d39": 1}, "q-2": {"d38": 1}})
    words = judged(corpus, "tiny-static")[names.BM25]
    assert words.nothing_found == 1
    assert words.judgements["ndcg@10"].tolist() == pytest.approx([0, 1 / np.log2(5)]), "after d8, d6 and d4"


@pytest.mark.parametrize("name", MODELS)
def test_without_an_engine_the_ranking_is_the_engines(sample, folder, name):
    encoder = encoders.load(name)
    [cell] = grid.measure(sample, encoder, [64], ["float32"], ["exact"])
    found = rankings.exact(sample, encoder)
    assert max(map(len, found)) == min(rankings.DEPTH, len(sample.documents))
    assert evaluation.judge(sample, found).equals(cell.judgements)


def test_without_an_engine_few_at_once_rank_as_many_and_a_query_unknown_ranks_nothing(pairs, data, monkeypatch):
    encoder, corpus = encoders.load("tiny-static"), with_unknown(pairs)
    whole = rankings.exact(corpus, encoder)
    assert whole[-2:] == [[], []] and all(whole[:-2])
    monkeypatch.setattr(evaluation, "CELLS", 5 * len(corpus.documents))
    assert rankings.exact(corpus, encoder) == whole


def test_a_query_that_is_a_document_is_passed_over(pairs, data):
    itself = replace(pairs, queries={"d000": pairs.documents["d000"].full}, qrels={"d000": {"d001": 1}})
    encoder = encoders.load("tiny-static")
    assert "d000" in rankings.exact(itself, encoder)[0]
    assert "d000" not in rankings.exact(replace(itself, drop_identical=True), encoder)[0]


def test_of_a_corpus_with_other_texts_those_alone_are_encoded(sample, data, monkeypatch):
    encoder, items = encoders.load("tiny-static"), corpus_facts.known_items(sample, 5)
    whole = rankings.exact(items, encoder)
    encoded, encode = [], rankings.vectors.encode
    monkeypatch.setattr(
        rankings.vectors,
        "encode",
        lambda model, texts, *role: encoded.append(list(texts)) or encode(model, texts, *role),
    )
    assert rankings.exact(items, encoder, sample) == whole
    changed = [items.documents[key].full for key in items.documents if items.documents[key] != sample.documents[key]]
    assert encoded == [sample.document_texts, changed, items.query_texts] and len(changed) == 5


def test_words_without_an_engine_rank_as_the_engine_does(sample):
    model = Bm25(bm25.average_words(sample.document_texts))
    asked, stored = model.queries(sample.query_texts), model.documents(sample.document_texts)
    with engine.build(None, "float32", words=stored) as index:
        hits = rankings.by_words(index, asked, rankings.DEPTH)
    engines = evaluation.order_ties(hits.ids, hits.scores, sample.document_ids)
    ours = evaluation.judge(sample, rankings._by_bm25(sample))
    assert ours["ndcg@10"].tolist() == pytest.approx(evaluation.judge(sample, engines)["ndcg@10"].tolist())


def test_what_is_told_before_judging_needs_no_judgement(sample, folder):
    static, transformer = map(encoders.load, ("tiny-static", "tiny-transformer"))
    rows = rankings.before_judging(sample, static, transformer)
    assert set(rows["metric"]) <= set(METRICS) and set(rows["corpus"]) == {"sample"} and rows["value"].notna().all()
    items = rows[rows["metric"] == "known-item ndcg@10"].set_index("method")
    assert items["model"].dropna().to_dict() == {"tiny-static": "tiny-static", "tiny-transformer": "tiny-transformer"}
    assert items.index.tolist() == ["tiny-static", "tiny-transformer", "BM25"] and items["value"].between(0, 1).all()
    both = rows[rows["against"].notna()].set_index("metric")
    assert set(zip(both["model"], both["against"], strict=True)) == {("tiny-static", "tiny-transformer")}
    share = items["value"]["tiny-static"] / items["value"]["tiny-transformer"]
    assert both["value"]["known-item share kept"] == pytest.approx(share)
    assert 0 < both["value"]["top ten in common"] < 1
    unjudged = replace(sample, qrels={query: {"gone": 1} for query in sample.queries})
    same = rankings.before_judging(unjudged, static, transformer)
    without = rows[rows["metric"] != "query words in the relevant document"]
    assert same.reset_index(drop=True).equals(without.reset_index(drop=True))


def test_few_known_items_are_no_rows(pairs, data):
    few = replace(pairs, documents=dict(list(pairs.documents.items())[: statistics.MIN_QUERIES]))
    rows = rankings.before_judging(few, encoders.load("tiny-static"), encoders.load("tiny-static"))
    assert not rows["metric"].str.startswith("known-item").any() and "top ten in common" in set(rows["metric"])
