"""The explorer's widgets and HTML without a browser, and the notebook that shows them, run headless."""

import html
import re

import numpy as np
import papermill
import pytest
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.explorer import explorer_html
from workbook.explorer.contributions import Contributions
from workbook.explorer.explored import Answer, Found
from workbook.explorer.explorer import Explorer
from workbook.explorer.explorer_view import View

QUERY = "where can I borrow money"


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        model = encoders.load("tiny-static")
        made = Explorer(corpora.load("sample"), model, dimensions=[64, 16], settings=["float32", "binary"])
        yield made
        made.close()


@pytest.fixture
def view(explorer):
    return View(explorer, QUERY)


def shown(view, name):
    """The HTML of the part of that class."""
    [widget] = [widget for widget in view.root.children if f"workbook-{name}" in widget._dom_classes]
    return widget.value


def text_of(markup):
    return html.unescape(re.sub(r"<[^>]+>", " ", markup))


def test_the_first_query_is_answered_at_once(view):
    assert "workbook-explorer" in view.root._dom_classes
    assert "workbook-query" in view.query._dom_classes
    assert re.search(r"3 methods answered in \d+ ms: 64 dimensions, float32\.", shown(view, "status"))
    assert headings(view) == ["tiny-static + BM25", "word search (BM25)"]
    [words] = re.findall(r'aria-label="word search \(BM25\)".*?</section>', shown(view, "results"))
    assert "workbook-mark" not in words, "nothing can move what has no vectors"
    assert "256 bytes per vector" in shown(view, "results")
    assert "How lenders earn their money" in text_of(shown(view, "results"))


def headings(view):
    return re.findall(r"<h3>(.*?)</h3>", shown(view, "results"))


def test_the_static_models_alone_are_two_more_cards(view):
    view.more.value = True
    both = ["tiny-static", "trained static"]
    assert headings(view) == ["tiny-static + BM25", "word search (BM25)", *both]
    assert "To train one: make run-notebooks" in shown(view, "results")


def test_an_example_is_asked_by_its_button_and_says_where_the_right_answer_is(view):
    assert view.examples
    for button in view.examples:
        button.click()
        assert view.query.value == button.tooltip
        [told] = re.findall(r"Right answer at rank: (.*?)\.</p>", shown(view, "status"))
        assert re.search(r"tiny-static \+ BM25 <b>\d+</b>, word search \(BM25\) <b>(\d+|below \d+)</b>", told)
    view.query.value = "a question that nobody judged about money"
    assert "Right answer" not in shown(view, "status")


def test_without_an_example_there_is_no_row_of_them(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "examples", dict)
    view = View(explorer, QUERY)
    assert view.examples == [] and "Try:" not in [getattr(each, "value", "") for each in view.root.children]


def test_a_position_that_is_new_says_what_was_built(explorer, monkeypatch):
    view = View(explorer, QUERY)
    monkeypatch.setattr(explorer, "ready", lambda *_: 3)
    assert re.search(r"First, 3 indexes were built in \d+\.\d s\.", view.answer(QUERY).status)
    monkeypatch.setattr(explorer, "ready", lambda *_: 0)
    assert "built" not in view.answer(QUERY).status


def test_typing_and_moving_a_slider_change_the_results(view):
    first = shown(view, "results")
    view.query.value = "how do bats find moths"
    assert "Hunting by echo" in text_of(shown(view, "results")) and shown(view, "results") != first
    view.dimension.value = 16
    assert "16 dimensions, float32: 64 bytes per vector" in shown(view, "results")
    view.setting.value = "binary"
    assert "16 dimensions, binary: 16 bytes per vector" in shown(view, "results")
    assert 'class="workbook-mark moved"' in shown(view, "results")


def test_a_query_that_would_be_asked_again_is_marked(view, monkeypatch):
    assert "asked again" not in shown(view, "status")
    monkeypatch.setattr(view._explorer, "again", lambda query: f"{query} is weak")
    monkeypatch.setattr(view._explorer, "title", lambda way: "MiniLM")
    assert f"Would be asked again with MiniLM: {QUERY} is weak." in view.answer(QUERY).status


def test_how_to_read_it_is_folded_at_the_end_with_what_ran(explorer):
    page = View(explorer, QUERY, "<p>a corpus</p>").root.children[-1].value
    assert page.startswith("<details") and "How to read it" in page and page.endswith("<p>a corpus</p></details>")
    assert "What ran" not in View(explorer, QUERY).root.children[-1].value


def test_what_would_do_nothing_is_greyed_out(view):
    assert view.rescore.disabled and view.oversampling.disabled
    view.setting.value = "binary"
    assert not view.rescore.disabled and view.oversampling.disabled
    view.rescore.value, view.oversampling.value = True, 3
    assert not view.oversampling.disabled
    assert "binary, rescored, oversampling 3." in shown(view, "status")
    view.setting.value = "float32"
    assert view.rescore.disabled and view.oversampling.disabled
    assert "64 dimensions, float32." in shown(view, "status"), "a grey control still counts"


def test_why_opens_below_each_match_of_a_static_model_and_of_no_other(view):
    cards = re.findall(r"<section.*?</section>", shown(view, "results"), re.DOTALL)
    assert [card.count("<summary") for card in cards] == [5, 0]
    assert "the static half of this match; word search has scored it too" in text_of(cards[0])
    [title] = re.findall(r"<b>1\.&nbsp;(.*?)</b>", cards[0])
    assert f'<summary aria-label="why? {title}">why?</summary>' in cards[0]
    view.more.value = True
    alone = re.findall(r"<section.*?</section>", shown(view, "results"), re.DOTALL)[2]
    assert alone.count("<summary") == 5 and "which it is ranked by" in alone


def test_a_match_that_cannot_be_explained_says_why(view, monkeypatch):
    def refuse(*_):
        raise WorkbookError("planted refusal")

    monkeypatch.setattr(view._explorer, "explain", refuse)
    assert "Planted refusal." in view.answer(QUERY).results


@pytest.mark.parametrize(
    ("query", "said"),
    [("", "The query is empty: type what you are looking for."), ("zzzz", "0 methods answered")],
)
def test_what_finds_nothing_is_said_in_a_sentence(view, query, said):
    view.query.value = query
    assert said in shown(view, "status")
    assert "<summary" not in shown(view, "results")
    view.more.value = True
    if query:
        assert "tiny-static knows no word of this query." in shown(view, "results")
        assert "No document has a word of this query." in shown(view, "results")
    view.query.value = QUERY
    assert "<summary" in shown(view, "results")


def test_text_of_documents_and_queries_is_escaped():
    evil = '<img src=x onerror="alert(1)">'
    found = [Found(1, evil, evil, evil, 0.5, 1)]
    answer = Answer("static", evil, evil, 64, "float32", 256, 0, 1, 1, found, found, "", ranked=[evil], right=1)
    parts = Contributions([evil], [evil], np.array([[0.5]]), 0.5)
    lost = Answer("custom", evil, evil, problem=evil)
    pages = [
        explorer_html.columns([answer, lost], 5, {("static", evil): ""}), explorer_html.problem(evil),
        explorer_html.status([answer], evil, 1, evil, evil),
        explorer_html.explanation(parts, answer, found[0]),
    ]  # fmt: skip
    for page in pages:
        assert "<img" not in page and "&lt;img" in page


def test_moves_are_said_in_words():
    found = [Found(rank, str(rank), "", "", 0.5, was) for rank, was in enumerate([1, 3, 2, 9, None], start=1)]
    page = text_of(explorer_html.columns([Answer("static", "s", "m", 64, "binary", 16, 0, 1, 1, found)], 5, {}))
    assert re.findall(r"▲ up \d|▼ down \d|★ new, was (?:below )?\d+", page) == [
        "▲ up 1", "▼ down 1", "★ new, was 9", "★ new, was below 100"
    ]  # fmt: skip


def test_an_explanation_has_the_sum_and_the_shares_in_numbers():
    answer = Answer("static", "s", "m", 2, "float32", 8, 0, 1, 1)
    document = Found(1, "d", "A title", "", 0.4, 1)
    parts = Contributions(["red", "fox"], ["fox", "and"], np.array([[0.1, 0.0], [0.5, -0.2]]), 0.4)
    page = text_of(explorer_html.explanation(parts, answer, document))
    assert "4 pairs of tokens sum to 0.4000" in page and "0.4000, which it is ranked by" in page
    assert re.search(r"fox\s+fox\s+1\s+\+0\.5000\s+\+125%", page)
    assert re.search(r"fox\s+and\s+1\s+-0\.2000\s+-50%", page)
    binary = explorer_html.explanation(parts, Answer("static", "s", "m", 2, "binary", 16), document)
    assert "binary codes were searched (score 0.4)" in text_of(binary)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"setting": "float32"}, "cosine: 1 is the same direction"),
        ({"setting": "binary", "rescored": True}, "cosine: 1 is the same direction"),
        ({"setting": "binary"}, "equal bits minus unequal ones"),
        ({"setting": "binary-2bit"}, "equal bits minus unequal ones"),
        ({"setting": "scalar-int8"}, "cosine of the compressed vectors"),
        ({"setting": "float32", "fusion": "dbsf"}, "an average candidate of both has 1"),
        (
            {"setting": "float32", "fusion": "rrf"},
            "1 / (2 + rank) over both rankings, ranks from 0: 1 is first in both",
        ),
        ({"way": "BM25"}, "no upper limit"),
    ],
)
def test_a_card_says_what_its_scores_mean(facts, said):
    answer = Answer(**{"way": "static", "title": "s", "model": "m", "found": [Found(1, "d", "", "", 0.5, 1)], **facts})
    assert said in html.unescape(explorer_html.columns([answer], 5, {}))


def test_the_rank_of_the_right_answer_is_told_of_each_method_that_answered():
    found = [Found(1, "d", "", "", 0.5, 1, True)]
    first = Answer("hybrid", "static + BM25", "m", fusion="rrf", found=found, ranked=["d"], right=1)
    lost = Answer("BM25", "word search (BM25)", "", found=found, ranked=["x"] * 30)
    silent = Answer("custom", "trained", "", problem="none")
    status = text_of(explorer_html.status([first, lost, silent], "how", 1))
    assert "Right answer at rank: static + BM25 1 , word search (BM25) below 30 ." in " ".join(status.split())
    assert "Right answer" not in explorer_html.status([lost], "how", 1)
    assert "✓ right answer" in explorer_html.columns([first], 5, {})


@pytest.mark.slow
def test_the_notebook_runs_headless_and_ends_with_the_explorer(tmp_path, monkeypatch):
    for name in ("DATA", "FIGURES", "REPORTS"):
        monkeypatch.setenv(f"WORKBOOK_{name}", str(tmp_path / name.lower()))
    given = {
        "corpus": "sample", "static_model": "tiny-static", "transformer_model": "tiny-transformer", "query": QUERY,
        "dimensions": [64, 16], "settings": ["float32", "binary"],
    }  # fmt: skip
    notebook = paths.NOTEBOOKS / "explore.ipynb"
    run = papermill.execute_notebook(
        str(notebook), str(tmp_path / "run.ipynb"), given, kernel_name="python3", cwd=str(paths.NOTEBOOKS),
        progress_bar=False, execution_timeout=300,
    )  # fmt: skip
    code = [cell for cell in run.cells if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.tags]
    assert all(cell.metadata.jupyter.source_hidden for cell in code), "code stands before the search box"
    assert run.cells[-1] is code[-1], "JupyterLab goes to the last cell, which is not the search box"
    state = run.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    values = " ".join(str(model["state"].get("value")) for model in state.values())
    assert (
        "workbook-columns" in values
        and "How lenders earn their money" in values
        and "corpus sha256" in values
        and "Traceback" not in values
    )
