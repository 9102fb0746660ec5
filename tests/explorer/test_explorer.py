"""The explorer without its widgets: rankings against numpy, moves against whole float32 vectors, what is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from workbook import paths
from workbook.corpora import corpora
from workbook.corpora.corpora import Document
from workbook.embedding import encoders, vectors
from workbook.errors import WorkbookError
from workbook.explorer import worked
from workbook.explorer.explored import BM25, CUSTOM, HYBRID, MAIN, STATIC, TRANSFORMER
from workbook.explorer.explorer import Explorer
from workbook.qdrant import engine

QUERY = "where can I borrow money"
DIMENSIONS, SETTINGS = [64, 16], ["float32", "binary"]


@pytest.fixture(scope="module")
def corpus():
    return corpora.load("sample")


@pytest.fixture(scope="module")
def explorer(corpus, tmp_path_factory):
    """Two models on the sample, none trained on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        models = encoders.load("tiny-static"), None, encoders.load("tiny-transformer")
        made = Explorer(corpus, *models, dimensions=DIMENSIONS, settings=SETTINGS)
        yield made
        made.close()


def other(name, matryoshka):
    """The tiny static model under another name and with other dimensions."""
    model = encoders.load("tiny-static")
    model.name, model.facts = name, replace(model.facts, matryoshka=matryoshka)
    return model


def by_way(answers):
    return {answer.way: answer for answer in answers}


def exact(corpus, model, dimension):
    """Document ids by cosine, and the cosines, best first."""
    stored = vectors.truncate(model.encode(corpus.document_texts), dimension)
    scores = stored @ vectors.truncate(model.encode([QUERY], "query"), dimension)[0]
    order = np.argsort(-scores)
    return [corpus.document_ids[number] for number in order], scores[order]


def test_every_way_answers_with_its_ranking_scores_and_sizes(explorer, corpus):
    answers = by_way(explorer.ask(QUERY, 64, "float32"))
    assert list(answers) == [*MAIN, STATIC, CUSTOM] == [HYBRID, TRANSFORMER, BM25, STATIC, CUSTOM]
    for way in (STATIC, TRANSFORMER):
        ids, scores = exact(corpus, explorer.encoder(way), 64)
        assert [each.id for each in answers[way].found] == ids[:5]
        np.testing.assert_allclose([each.score for each in answers[way].found], scores[:5], atol=1e-5)
        assert answers[way].bytes_per_vector == 256
        assert (answers[way].dimension, answers[way].setting) == (64, "float32")
    assert answers[BM25].bytes_per_vector == 0 < answers[BM25].bytes_of_words == answers[HYBRID].bytes_of_words
    assert [each.rank for each in answers[HYBRID].found] == [1, 2, 3, 4, 5]
    assert min(answers[STATIC].encode_ms, answers[BM25].encode_ms, answers[HYBRID].search_ms) > 0
    first = answers[STATIC].found[0]
    assert (first.title, first.snippet[:40]) == (corpus.documents[first.id].title, corpus.documents[first.id].text[:40])


def test_whole_float32_vectors_move_nothing(explorer):
    for answer in explorer.ask(QUERY, 64, "float32"):
        assert [each.was for each in answer.found] == [each.rank for each in answer.found]
        assert answer.left == []


def test_moves_are_against_whole_float32_vectors(explorer, corpus):
    answers = by_way(explorer.ask(QUERY, 16, "binary"))
    assert answers[BM25].found == by_way(explorer.ask(QUERY, 64, "float32"))[BM25].found
    for way in (STATIC, TRANSFORMER):
        ids, _ = exact(corpus, explorer.encoder(way), 64)
        found = answers[way].found
        assert [each.was for each in found] == [ids.index(each.id) + 1 for each in found]
        assert [each.rank for each in found] != [each.was for each in found], "one bit of 16 numbers moves nothing"
        shown = {each.id for each in found}
        assert [each.id for each in answers[way].left] == [key for key in ids[:5] if key not in shown]
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        assert answers[way].bytes_per_vector == 16


def test_rescoring_enough_candidates_ranks_as_float32_of_that_dimension(explorer, corpus):
    answers = by_way(explorer.ask(QUERY, 16, "binary", True, 12.0))
    ids, scores = exact(corpus, explorer.encoder(STATIC), 16)
    assert [each.id for each in answers[STATIC].found] == ids[:5]
    np.testing.assert_allclose([each.score for each in answers[STATIC].found], scores[:5], atol=1e-5)


def test_without_a_trained_model_its_column_says_how_to_train_one(explorer):
    answer = by_way(explorer.ask(QUERY, 64, "float32"))[CUSTOM]
    assert answer.problem.endswith("make run-notebooks NOTEBOOK=05_train_your_own CORPUS=sample")
    assert by_way(explorer.ask(QUERY, 64, "float32"))[HYBRID].model == "tiny-static + BM25 (dbsf)"


def test_a_trained_model_is_asked_and_fused_and_no_transformer_is_needed(corpus, data):
    made = Explorer(corpus, encoders.load("tiny-static"), other("mine", (64, 16)), dimensions=[40], settings=["binary"])
    answers = by_way(made.ask(QUERY, 40, "binary"))
    assert list(answers) == [HYBRID, BM25, STATIC, CUSTOM]
    assert answers[HYBRID].model == "mine + BM25 (dbsf)"
    assert {way: answers[way].dimension for way in (STATIC, CUSTOM, HYBRID)} == {STATIC: 40, CUSTOM: 64, HYBRID: 64}
    assert made.indexes == 4, "of each model the setting, and whole float32 vectors to compare with"
    assert made.title(HYBRID) == "trained static + BM25"
    folders = [index._backend._path for index in made._indexes.values()]
    made.close()
    assert not any(folder.exists() for folder in folders)


def test_a_query_of_unknown_words_is_told_apart_from_one_that_finds_nothing(explorer):
    answers = by_way(explorer.ask("zzzz qqqq", 64, "float32"))
    assert answers[STATIC].problem == "tiny-static knows no word of this query."
    assert answers[TRANSFORMER].problem == "tiny-transformer knows no word of this query."
    assert answers[BM25].problem == answers[HYBRID].problem == "No document has a word of this query."


def test_the_hybrid_finds_by_words_what_its_model_does_not_know(corpus, data):
    document = next(iter(corpus.documents))
    odd = replace(corpus, documents={**corpus.documents, document: Document("", "Ψυχή")})
    explorer = Explorer(odd, encoders.load("tiny-static"), dimensions=[64], settings=["float32", "binary"])
    for setting in ("float32", "binary"):
        answers = by_way(explorer.ask("Ψυχή", 64, setting))
        assert [each.id for each in answers[HYBRID].found] == [each.id for each in answers[BM25].found] == [document]
        assert answers[HYBRID].model == "BM25 alone: tiny-static knows no word of this query."
    explorer.close()


def test_an_explained_match_has_the_score_it_was_ranked_by(explorer):
    first = by_way(explorer.ask(QUERY, 16, "float32"))[STATIC].found[0]
    assert explorer.explain(STATIC, QUERY, first.id, 16).score == pytest.approx(first.score, abs=1e-5)
    for way in (BM25, TRANSFORMER):
        with pytest.raises(WorkbookError, match="static model"):
            explorer.explain(way, QUERY, first.id, 16)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("", 64, "float32"), "the query is empty"),
        ((" \n", 64, "float32"), "the query is empty"),
        ((QUERY, 32, "float32"), "no slider has float32 in 32 dimensions"),
        ((QUERY, 64, "scalar-int8"), "no slider has scalar-int8"),
        ((QUERY, 64, "float32", True), "nothing to rescore"),
        ((QUERY, 64, "binary", False, 2.0), "oversampling without rescoring does nothing"),
    ],
)
def test_what_would_be_ignored_is_refused(explorer, asked, said):
    with pytest.raises(WorkbookError, match=said):
        explorer.ask(*asked)


def test_a_build_that_fails_leaves_nothing_behind(corpus, data, monkeypatch):
    built = []
    build = engine.build

    def failing(*arguments, **options):
        if built:
            raise WorkbookError("planted")
        built.append(build(*arguments, **options))
        return built[0]

    monkeypatch.setattr(engine, "build", failing)
    with pytest.raises(WorkbookError, match="planted"):
        Explorer(corpus, encoders.load("tiny-static"), dimensions=[16], settings=["binary"])
    assert not built[0]._backend._path.exists()


def test_a_ratio_that_does_not_divide_and_an_unknown_fusion_are_refused(corpus, data):
    with pytest.raises(WorkbookError, match="does not divide 20"):
        Explorer(corpus, encoders.load("tiny-static"), dimensions=[20], settings=["product-x64"])
    with pytest.raises(WorkbookError, match="unknown fusion 'sum'"):
        Explorer(corpus, encoders.load("tiny-static"), dimensions=[16], settings=["binary"], fusion="sum")


def test_an_answer_says_whether_it_was_rescored(explorer):
    for rescore in (False, True):
        answers = explorer.ask(QUERY, 64, "binary", rescore)
        assert {answer.rescored for answer in answers if answer.bytes_per_vector} == {rescore}


def test_a_position_of_the_sliders_is_built_when_it_is_asked_for_and_kept(corpus, data):
    models = encoders.load("tiny-static"), None, encoders.load("tiny-transformer")
    made = Explorer(corpus, *models, dimensions=DIMENSIONS, settings=SETTINGS)
    assert made.indexes == 2, "more than whole float32 vectors"
    assert (made.ready(16, "binary"), made.ready(16, "binary"), made.ready(64, "float32")) == (2, 0, 0)
    made.ask(QUERY, 16, "float32")
    assert made.indexes == 6
    made.close()


def test_methods_have_plain_names(explorer, data):
    assert [explorer.title(way) for way in (HYBRID, STATIC, CUSTOM, BM25)] == [
        "tiny-static + BM25", "tiny-static", "trained static", "word search (BM25)"
    ]  # fmt: skip
    explorer = object.__new__(Explorer)
    explorer.static, explorer.custom, explorer.transformer = (
        other(name, (64,)) for name in ("static-distilled", "mine", "all-MiniLM-L6-v2")
    )
    explorer.hybrid = explorer.custom
    assert [explorer.title(way) for way in (TRANSFORMER, STATIC)] == ["MiniLM", "distilled static"]


def test_the_right_answer_of_a_judged_query_has_its_rank_in_every_method(explorer, corpus):
    query, text = next(iter(corpus.queries.items()))
    right = {key for key, grade in corpus.qrels[query].items() if grade > 0}
    for answer in explorer.ask(f" {text.upper()}", 64, "float32")[:-1]:
        ranks = [rank for rank, key in enumerate(answer.ranked, 1) if key in right]
        assert answer.right == min(ranks, default=None)
        assert [each.is_right for each in answer.found] == [each.id in right for each in answer.found]
        assert [each.id for each in answer.found] == answer.ranked[:5]
    assert {answer.right for answer in explorer.ask("zebra crossings", 64, "float32")} == {None}


def test_rescored_no_more_is_ranked_than_is_shown(explorer):
    answers = by_way(explorer.ask(QUERY, 16, "binary", True))
    assert {way: len(answers[way].ranked) for way in (STATIC, TRANSFORMER)} == {STATIC: 5, TRANSFORMER: 5}


def test_examples_are_judged_queries_that_their_method_wins(explorer, corpus):
    examples = explorer.examples()
    ways = {"Static wins": STATIC, "tiny-transformer wins": TRANSFORMER, "Word search wins": BM25}
    assert examples and set(examples) <= set(ways)
    for label, text in examples.items():
        assert text in corpus.query_texts
        right = {way: answer.right for way, answer in by_way(explorer.ask(text, 64, "float32")).items()}
        own = right.pop(ways[label])
        rivals = {way: rank for way, rank in right.items() if way in ways.values()}
        assert own <= 5 and all(rank is None or own < rank for rank in rivals.values())


def test_a_weak_query_would_be_asked_again_and_says_why(explorer, corpus):
    asked = [text for text in corpus.query_texts if explorer.again(text)]
    assert len(asked) == pytest.approx(0.3 * len(corpus.queries), abs=1.5)
    assert re.fullmatch(r".+: lower than \d+% of earlier searches", explorer.again(asked[0]))
    assert explorer.again("zzzz qqqq") == "no word that the table of vectors knows"


def test_without_a_transformer_or_with_few_queries_nothing_is_asked_again(corpus, data):
    few = dict(list(corpus.queries.items())[:9])
    small = replace(corpus, queries=few, qrels={query: corpus.qrels[query] for query in few})
    for chosen, models in ((corpus, (None, None)), (small, (None, encoders.load("tiny-transformer")))):
        made = Explorer(chosen, encoders.load("tiny-static"), *models, dimensions=[64], settings=["float32"])
        assert made.again("zzzz qqqq") == ""
        made.close()


def test_queries_are_worked_out_on_a_page(explorer, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"# Title\n\n{worked.BEGIN}\nold\n{worked.END}\n\nrest\n", encoding="utf-8")
    worked.write(page, explorer)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n") and text.endswith(f"{worked.END}\n\nrest\n") and "\nold\n" not in text
    examples = {label: query for label, query in explorer.examples().items() if not label.startswith("Word")}
    assert examples and all(f"{label}: *{query}*" in text for label, query in examples.items())
    ranks = [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| ") and "method" not in line]
    assert len(ranks) == 3 * len(examples) and any(rank.isdigit() for rank in ranks)


@pytest.mark.parametrize("text", ["", worked.BEGIN, f"{worked.END}\n{worked.BEGIN}"])
def test_a_page_without_its_marks_is_refused(explorer, tmp_path, text):
    page = tmp_path / "README.md"
    page.write_text(text)
    with pytest.raises(WorkbookError, match=r"README\.md needs one line"):
        worked.write(page, explorer)
    assert page.read_text() == text
