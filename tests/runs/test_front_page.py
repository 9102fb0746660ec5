"""The README's answer is a run's, written between its marks."""

import shutil

import pandas as pd
import pytest
from published_run import publish, publish_several, row
from workbook import __main__, paths
from workbook.conclusions import asked
from workbook.conclusions.answers import HYBRID
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import front_page, outcomes


@pytest.fixture
def page(data, tmp_path, monkeypatch):
    publish(monkeypatch)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir(exist_ok=True)
    for file in (tmp_path / "README.md", tmp_path / "notebooks" / "README.md"):
        file.write_text(f"# Title\n\n{front_page.BEGIN}\nold\n{front_page.END}\n\nrest\n", encoding="utf-8")
    return tmp_path / "README.md"


def write(page, run, command):
    """Write both pages and the rows; gives the rows."""
    rows = page.parent / "data" / "readme-rows.csv"
    front_page.write(page, page.parent / "notebooks" / "README.md", rows, run, command)
    return pd.read_csv(rows)


def test_claim_scores_and_advice_are_put_between_the_marks(page):
    write(page, "made", "make run-notebooks CORPUS=sample")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n") and text.endswith(f"{front_page.END}\n\nrest\n") and "\nold\n" not in text
    found = outcomes.conclude("made")
    assert f"**{found.claim}**\n\n{found.intervals.partition(':')[0]}" in text
    assert "](figures/made-answer.png)" in text and "| trained static + BM25 | 0.670" in text
    assert f"### What to do\n\n- {found.advice.sentences[0][:40]}" in text and "```python\nimport os" in text
    assert "`make run-notebooks CORPUS=sample`" in text and "cores" in text


def test_every_answer_is_put_into_the_other_page(page):
    write(page, "made", "make run-notebooks")
    text = (page.parent / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert "| How much does a static model give up? | fast keeps 64%" in text and "| 3 | `02` |" in text


def test_the_rows_behind_the_numbers_are_kept_with_their_keys(page):
    rows = write(page, "made", "make run-notebooks")
    judged = rows[rows["metric"] == "ndcg@10"]
    assert judged["key"].notna().all() and set(judged["notebook"]) == {"01_static_vs_transformer", "05_train_your_own"}
    table = asked.table(asked.scores(rows, "slow"), "slow")
    text = page.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert all(f"| {row['method']} | {row['NDCG@10']} |" in text for _, row in table.iterrows())


def test_writing_again_changes_nothing(page):
    write(page, "made", "make run-notebooks")
    first = page.read_text(encoding="utf-8")
    write(page, "made", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == first


def test_half_an_answer_is_refused(page, monkeypatch):
    before = page.read_text(encoding="utf-8")
    with pytest.raises(WorkbookError, match=r"run nothing cannot answer: 01_static_vs_transformer has no rows"):
        write(page, "nothing", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == before


def test_ways_that_were_not_measured_are_no_answer(page, monkeypatch):
    publish(monkeypatch)
    shutil.rmtree(paths.DATA / "results" / "baselines")
    with pytest.raises(WorkbookError, match=r"run made cannot answer: The measurement \w+ of 01_static_vs_transformer"):
        write(page, "made", "make run-notebooks")


def test_rows_that_answer_no_question_are_no_answer(page):
    before = page.read_text(encoding="utf-8")
    results.publish("02_encoding_speed", pd.DataFrame([row("documents/s", 900.0, model="fast")]))
    with pytest.raises(WorkbookError, match=r"run made cannot answer\. Not measured: run notebook 02\."):
        write(page, "made", "make run-notebooks")
    assert page.read_text(encoding="utf-8") == before


def test_a_path_of_this_machine_stays_out(page):
    write(page, "made", f"make run-notebooks CORPUS={paths.ROOT}/shop")
    assert str(paths.ROOT) not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", front_page.BEGIN, f"{front_page.END}\n{front_page.BEGIN}", front_page.BEGIN * 2])
def test_a_file_without_its_marks_is_refused(page, text):
    page.write_text(text)
    with pytest.raises(WorkbookError, match=r"README\.md needs one line"):
        write(page, "made", "make run-notebooks")


def test_the_command_writes_into_the_readme(page, monkeypatch, capsys):
    monkeypatch.setattr(paths, "ROOT", page.parent)
    monkeypatch.setattr(outcomes, "run_name", lambda *_: "made")
    assert __main__.main(["readme", "--corpus", "sample"]) == 0
    assert "make run-notebooks CORPUS=sample" in page.read_text(encoding="utf-8")


def test_over_corpora_a_table_has_each_comparison_in_plain_words(page, monkeypatch):
    publish_several(monkeypatch, {f"set{n}": {"trained + BM25 (rrf)": 0.5 + 0.01 * n} for n in range(6)})
    rows = write(page, "many", "make run-notebooks")
    text = (page.parent / "notebooks" / "README.md").read_text(encoding="utf-8")
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    pairs = [line[1] for line in lines]
    assert pairs.count("trained static + BM25 against slow + BM25") == 1, "the kinder fusion is left to 09"
    [line] = [line for line in lines if line[1] == "trained static + BM25 against slow + BM25"]
    assert line[3].split() == ["0,", "0,", "6,", "0"]
    effects = rows[(rows["scenario"] == HYBRID) & (rows["against"] == "slow + BM25 (rrf)") & rows["corpus"].notna()]
    assert effects["key"].notna().all()
