"""The README's answer is a run's, written between its marks."""

import shutil

import pandas as pd
import pytest
from published_run import publish, row
from workbook import __main__, paths
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import front_page, outcomes


@pytest.fixture
def page(data, tmp_path, monkeypatch):
    publish(monkeypatch)
    file = tmp_path / "README.md"
    file.write_text(f"# Title\n\n{front_page.BEGIN}\nold\n{front_page.END}\n\nrest\n", encoding="utf-8")
    return file


def test_headline_and_answers_are_put_between_the_marks(page):
    front_page.write(page, "made", "make run-notebooks CORPUS=sample")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n") and text.endswith(f"{front_page.END}\n\nrest\n") and "old" not in text
    assert "**On this corpus, yes: trained + BM25 (dbsf) is worse than slow + BM25" in text
    assert "| How much does a static model give up? | fast keeps 64%" in text
    assert "| 3 | `02` |" in text and "medians, with the range of the repeats" in text
    assert "`make run-notebooks CORPUS=sample`" in text and "cores" in text


def test_writing_again_changes_nothing(page):
    front_page.write(page, "made", "make run-notebooks")
    first = page.read_text(encoding="utf-8")
    front_page.write(page, "made", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == first


def test_half_an_answer_is_refused(page, monkeypatch):
    before = page.read_text(encoding="utf-8")
    with pytest.raises(WorkbookError, match=r"run nothing cannot answer: 01_static_vs_transformer has no rows"):
        front_page.write(page, "nothing", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == before


def test_ways_that_were_not_measured_are_no_answer(page, monkeypatch):
    publish(monkeypatch)
    shutil.rmtree(paths.DATA / "results" / "baselines")
    with pytest.raises(WorkbookError, match=r"run made cannot answer: The measurement \w+ of 01_static_vs_transformer"):
        front_page.write(page, "made", "make run-notebooks")


def test_rows_that_answer_no_question_are_no_answer(page):
    before = page.read_text(encoding="utf-8")
    results.publish("02_encoding_speed", pd.DataFrame([row("documents/s", 900.0, model="fast")]))
    with pytest.raises(WorkbookError, match=r"run made cannot answer\. Not measured: run notebook 02\."):
        front_page.write(page, "made", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == before


def test_a_path_of_this_machine_stays_out(page):
    front_page.write(page, "made", f"make run-notebooks CORPUS={paths.ROOT}/shop")
    assert str(paths.ROOT) not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", front_page.BEGIN, f"{front_page.END}\n{front_page.BEGIN}", front_page.BEGIN * 2])
def test_a_file_without_its_marks_is_refused(page, text):
    page.write_text(text)
    with pytest.raises(WorkbookError, match=r"README\.md needs one line"):
        front_page.write(page, "made", "make run-notebooks")


def test_the_command_writes_into_the_readme(page, monkeypatch, capsys):
    monkeypatch.setattr(paths, "ROOT", page.parent)
    monkeypatch.setattr(outcomes, "run_name", lambda *_: "made")
    assert __main__.main(["readme", "--corpus", "sample"]) == 0
    assert "make run-notebooks CORPUS=sample" in page.read_text(encoding="utf-8")
