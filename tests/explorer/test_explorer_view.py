"""The explorer's widgets and HTML without a browser, and the notebook that shows them, run headless."""

import html
import re

import numpy as np
import papermill
import pytest
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.explorer import explorer_html
from workbook.explorer.contributions import Contributions
from workbook.explorer.explorer import Answer, Explorer, Found
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
    assert re.search(r"3 ways to search answered, \d+ ms in all: 64 dimensions, float32\.", shown(view, "status"))
    headings = re.findall(r"<h3>(\w+)</h3>", shown(view, "results"))
    assert headings == ["static", "custom", "BM25", "hybrid"]
    [words] = re.findall(r'aria-label="BM25".*?</section>', shown(view, "results"))
    assert "workbook-mark" not in words, "nothing can move what has no vectors"
    assert "256 bytes per vector" in shown(view, "results")
    assert "How lenders earn their money" in text_of(shown(view, "results"))


def test_typing_and_moving_a_slider_change_the_results(view):
    first = shown(view, "results")
    view.query.value = "how do bats find moths"
    assert "Hunting by echo" in text_of(shown(view, "results")) and shown(view, "results") != first
    view.dimension.value = 16
    assert "16 dimensions, float32: 64 bytes per vector" in shown(view, "results")
    view.setting.value = "binary"
    assert "16 dimensions, binary: 16 bytes per vector" in shown(view, "results")
    assert 'class="workbook-mark moved"' in shown(view, "results")


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


def test_a_match_is_chosen_and_stays_chosen_while_it_is_among_the_results(view):
    labels = [label for label, _ in view.match.options]
    assert [label.partition(". ")[0] for label in labels] == [f"static {rank}" for rank in (1, 2, 3, 4, 5)]
    assert view.match.value == view.match.options[0][1]
    view.match.index = 1
    title = labels[1].partition(". ")[2]
    assert f"Why “{title}”?" in text_of(view.root.children[-1].value)
    view.rescore.value = True
    assert view.match.index == 1
    view.query.value = "how do bats find moths"
    assert view.match.index == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [("", "The query is empty: type what you are looking for."), ("zzzz", "0 ways to search answered")],
)
def test_what_finds_nothing_is_said_in_a_sentence(view, query, said):
    view.query.value = query
    assert said in shown(view, "status")
    assert view.root.children[-1].value == "" and view.match.options == ()
    assert view.match.layout.visibility == "hidden" != view.query.layout.visibility
    if query:
        assert "tiny-static knows no word of this query." in shown(view, "results")
        assert "No document has a word of this query." in shown(view, "results")
    view.query.value = QUERY
    assert view.match.index == 0


def test_text_of_documents_and_queries_is_escaped():
    evil = '<img src=x onerror="alert(1)">'
    found = [Found(1, evil, evil, evil, 0.5, 1)]
    answer = Answer(evil, evil, 64, "float32", 256, 0, 1, 1, found, found, "")
    parts = Contributions([evil], [evil], np.array([[0.5]]), 0.5)
    pages = [
        explorer_html.columns([answer, Answer("custom", evil, problem=evil)], 5), explorer_html.problem(evil),
        explorer_html.status([answer], evil, 1), explorer_html.explanation(parts, answer, found[0]),
    ]  # fmt: skip
    for page in pages:
        assert "<img" not in page and "&lt;img" in page


def test_moves_are_said_in_words():
    found = [Found(rank, str(rank), "", "", 0.5, was) for rank, was in enumerate([1, 3, 2, 9, None], start=1)]
    page = text_of(explorer_html.columns([Answer("static", "m", 64, "binary", 16, 0, 1, 1, found)], 5))
    assert re.findall(r"= same rank|▲ up \d|▼ down \d|★ new, was (?:below )?\d+", page) == [
        "= same rank", "▲ up 1", "▼ down 1", "★ new, was 9", "★ new, was below 100"
    ]  # fmt: skip


def test_an_explanation_has_the_sum_and_the_shares_in_numbers():
    answer = Answer("static", "m", 2, "float32", 8, 0, 1, 1)
    document = Found(1, "d", "A title", "", 0.4, 1)
    parts = Contributions(["red", "fox"], ["fox", "and"], np.array([[0.1, 0.0], [0.5, -0.2]]), 0.4)
    page = text_of(explorer_html.explanation(parts, answer, document))
    assert "4 pairs of tokens sum to 0.4000" in page and "0.4000, which it is ranked by" in page
    assert re.search(r"fox\s+fox\s+1\s+\+0\.5000\s+\+125%", page)
    assert re.search(r"fox\s+and\s+1\s+-0\.2000\s+-50%", page)
    binary = explorer_html.explanation(parts, Answer("static", "m", 2, "binary", 16), document)
    assert "binary codes were searched (score 0.4)" in text_of(binary)


@pytest.mark.slow
def test_the_notebook_runs_headless_and_prints_how_soon_it_answers(tmp_path, monkeypatch):
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
    printed = "".join(out.get("text", "") for cell in run.cells for out in cell.get("outputs", []))
    assert "8 indexes of 62 documents" in printed
    queries = len(corpora.load("sample").queries)
    assert re.search(rf"\d+ ms median, \d+ ms p95 of {queries} queries of sample", printed)
    state = run.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    values = " ".join(str(model["state"].get("value")) for model in state.values())
    assert "workbook-columns" in values and "How lenders earn their money" in values and "Traceback" not in values
