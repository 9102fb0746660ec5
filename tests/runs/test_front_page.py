"""The README's answer is a run's, written between its marks."""

import shutil

import pandas as pd
import pytest
from published_run import publish, row
from workbook import __main__, paths
from workbook.conclusions import across, answers
from workbook.errors import WorkbookError
from workbook.evaluation import meta_analysis, results
from workbook.evaluation.statistics import Interval
from workbook.names import TRAINED, with_bm25
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


def against(effects):
    """The main comparison, of effects (value, half its interval) on corpora; overall from five on."""
    named = {
        f"c{place}": Interval(value, value - half, value + half, 300, half / 1.96)
        for place, (value, half) in enumerate(effects)
    }
    overall = meta_analysis.pool(list(named.values())) if len(named) >= meta_analysis.FEWEST else None
    pair = [with_bm25(label, "rrf") for label in (TRAINED, "all-MiniLM-L6-v2")]
    return across.Comparison(answers.HYBRID, *pair, named, overall)


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ([(0.05, 0.01)] * 5, "No: with word search beside both, trained static is better than MiniLM, on average"),
        ([(-0.05, 0.01)] * 5, "Yes: with word search beside both, trained static is worse than MiniLM, on average"),
        ([(0.0, 0.002)] * 5, "No: with word search beside both, trained static equals MiniLM within 0.01,"),
        ([(0.01, 0.03)] * 5, "Not settled: with word search beside both, trained static and MiniLM may differ or not."),
        ([(0.05, 0.01), (-0.05, 0.01), *[(0, 0.03)] * 3],
         "It depends on your texts: with word search, trained static beats MiniLM on 1 of 5 corpora, loses on 1."),
        ([(0.05, 0.01), (0, 0.03)], "With word search, trained static beats MiniLM on 1 of 2 corpora, loses on 0:"),
    ],
)  # fmt: skip
def test_the_claim_is_one_sentence_that_follows_from_the_rows(effects, said):
    claim = front_page.claim([against(effects)], 0.01)
    assert claim.startswith(said) and len(claim.split()) <= 20 and "[" not in claim


def test_over_corpora_a_table_has_each_comparison_in_plain_words(page, monkeypatch):
    both = against([(0.05, 0.01), (-0.05, 0.01), *[(0, 0.03)] * 3])
    other = both._replace(one=with_bm25(TRAINED, "dbsf"), other=with_bm25("all-MiniLM-L6-v2", "dbsf"))
    kinder = other._replace(effects={name: one._replace(value=1.0) for name, one in other.effects.items()})
    alone = both._replace(question=answers.QUALITY, one="static-distilled", other="all-MiniLM-L6-v2")
    found = outcomes.conclude("made")
    monkeypatch.setattr(front_page, "conclude", lambda *_: found._replace(compared=[alone, both, kinder]))
    front_page.write(page, "made", "make run-notebooks")
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[1] for line in lines[1:]] == [
        "distilled static against MiniLM",
        "trained static + BM25 against MiniLM + BM25",
    ], "the fusion that is kinder to the static model is left to 09"
    assert lines[2].split(" | ")[3].split() == ["1,", "0,", "1,", "3"]
