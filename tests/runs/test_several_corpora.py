"""The runner on several corpora: one after the other, on past what fails, and what the run's report then says."""

import json
import shutil

import pytest
import yaml
from bs4 import BeautifulSoup
from test_runner import DEFAULTS, write_notebook
from workbook import paths
from workbook.conclusions import run_rows
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import kept, outcomes, report, runner

READING = "08_should_you_pay_attention"


@pytest.fixture
def project(tmp_path, data, monkeypatch):
    """A notebook that measures a corpus, one that fails on the corpus `two`, and one that reads over all."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    told = 'import os\nprint("told", os.environ["WORKBOOK_RUN"], corpus.rsplit("/")[-1])'
    write_notebook(folder, "01_first", DEFAULTS, told)
    write_notebook(folder, "02_second", DEFAULTS, 'assert not corpus.endswith("two"), "planted failure"')
    write_notebook(folder, READING, 'run = ""  # whose', 'import os\nprint("told", os.environ["WORKBOOK_RUN"])')
    notebooks = {"01_first": {}, "02_second": {}, READING: {}}
    content = {"profiles": {"p": {"notebooks": notebooks}, "some": {"notebooks": {"01_first": {}, READING: {}}}}}
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


@pytest.fixture
def two(beir_folder):
    """Two corpora that differ."""
    other = shutil.copytree(beir_folder, beir_folder.with_name("two"))
    text = (other / "corpus.jsonl").read_text(encoding="utf-8")
    (other / "corpus.jsonl").write_text(text.replace("It is cold", "It is white"), encoding="utf-8")
    return beir_folder, other


def run(project, folders, profile="p", only=()):
    given = {"corpus": ",".join(map(str, folders))}
    code = runner.run(profile, given, list(only), project / "runs.yaml")
    return code, outcomes.run_name(profile, given), given


def told(project, name, notebook):
    cells = json.loads((project / "reports" / name / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "".join(line for cell in cells for output in cell.get("outputs", []) for line in output.get("text", []))


def test_each_corpus_is_a_run_of_its_own_and_the_reader_runs_once(project, two, capsys):
    code, name, _ = run(project, two, "some")
    assert code == 0
    members = list(run_rows.members(name))
    assert members == [f"{name}/{outcomes.corpus_name(str(folder))}" for folder in two]
    assert [told(project, member, "01_first") for member in members] == [
        f"told {member} {folder.name}\n" for member, folder in zip(members, two, strict=True)
    ]
    assert told(project, name, READING) == f"told {name}\n"
    out = capsys.readouterr().out
    assert "[1/3] tiny: 01_first ..." in out and "[3/3] all corpora: 08_should" in out
    assert "[2/3] two: 01_first, under two minutes left ..." in out


def test_a_notebook_that_fails_on_one_corpus_stops_nothing(project, two, capsys):
    code, _, given = run(project, two)
    assert code == 1
    lines = [line.split() for line in capsys.readouterr().out.partition("verdict")[2].splitlines()]
    ends = {"".join(line[:2]): line[2] for line in lines if len(line) == 4}
    assert ends["tiny:02_second"] == "OK" and ends["two:02_second"] == "FAIL" and ends["two:01_first"] == "OK"
    index = report.build("p", given, project / "runs.yaml")
    soup = BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    assert "two" in soup.get_text() and "1 of 2 notebooks ended well" in " ".join(soup.get_text().split())
    links = [link["href"] for link in soup.select("dl.answers dt a")]
    assert len(links) == 2 and all((index.parent / link).is_file() for link in links)
    own = BeautifulSoup((index.parent / links[1]).read_text(encoding="utf-8"), "html.parser")
    assert "planted failure" in own.get_text() and own.select_one('a[href="../index.html"]')


def test_a_corpus_that_cannot_be_loaded_is_told_and_the_others_go_on(project, two, capsys):
    broken = shutil.copytree(two[0], two[0].with_name("broken"))
    (broken / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n")
    code, name, given = run(project, [two[0], broken], "some")
    assert code == 1
    out = capsys.readouterr().out
    assert "cannot be used:" in out and "no judgements in it" in out
    [good, bad] = run_rows.members(name).items()
    assert not good[1] and "no judgements in it" in bad[1] and str(project) not in bad[1]
    assert told(project, good[0], "01_first") and not (project / "reports" / bad[0]).exists()
    text = report.build("some", given, project / "runs.yaml").read_text(encoding="utf-8")
    assert "was not run" in text and "no judgements in it" in text and "There are no rows of this corpus." in text


def test_where_no_corpus_can_be_used_nothing_runs(project, two, monkeypatch):
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("it started"))
    for folder in two:
        (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n")
    with pytest.raises(WorkbookError, match=r"none of the corpora can be used; the first: .*no judgements in it"):
        run(project, two)


def test_the_same_content_under_two_names_is_refused_before_anything_runs(project, beir_folder, monkeypatch):
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("it started"))
    copy = shutil.copytree(beir_folder, beir_folder.with_name("copy"))
    with pytest.raises(WorkbookError, match="tiny and copy hold the same corpus: take one out"):
        run(project, [beir_folder, copy])


def test_what_ended_well_is_not_run_again_while_all_that_decides_it_is_the_same(project, two, capsys, monkeypatch):
    rows = "import pandas as pd\nfrom workbook.evaluation import results\n"
    rows += 'results.publish("01_first", pd.DataFrame([{"metric": "ndcg@10", "value": 0.5}]))'
    write_notebook(project / "notebooks", "01_first", DEFAULTS, rows)
    monkeypatch.setenv("PYTHONPATH", str(kept.PACKAGE.parent))

    def ran(only=()):
        capsys.readouterr()
        assert run(project, two, "some", only)[0] == 0
        return capsys.readouterr().out.count("OK (")

    assert ran() == 3
    assert ran() == 1, "the notebook that reads runs each time"
    assert ran(["01_first"]) == 2, "what is asked for by name is run"
    write_notebook(project / "notebooks", "01_first", DEFAULTS, rows + "\n")
    assert ran() == 3, "the notebook changed"
    _, name, _ = run(project, two, "some")
    results.published_file(next(iter(run_rows.members(name))), "01_first").unlink()
    assert ran() == 2, "rows are gone"
    failing = "if corpus.endswith('two'):\n    raise ValueError('planted')"
    write_notebook(project / "notebooks", "01_first", DEFAULTS, rows, failing)
    for _ in range(2):
        capsys.readouterr()
        assert run(project, two, "some")[0] == 1
        assert "planted" in capsys.readouterr().out, "what failed is run again"


def test_a_run_of_one_corpus_runs_every_notebook_each_time_and_is_of_that_corpus_alone(
    project, two, capsys, monkeypatch
):
    (project / "sets").mkdir()
    for folder in two:
        shutil.move(folder, project / "sets" / folder.name)
    monkeypatch.setenv("BEIR_DATA_DIR", str(project / "sets"))
    assert runner.run("some", {"corpus": "local"}, [], project / "runs.yaml") == 0
    assert len(run_rows.members("some+local")) == 2
    shutil.rmtree(project / "sets" / "two")
    for _ in range(2):
        capsys.readouterr()
        assert runner.run("some", {"corpus": "local"}, [], project / "runs.yaml") == 0
        assert capsys.readouterr().out.count("OK (") == 2
    assert run_rows.members("some+local") == {}, "the other corpus is gone"


def test_a_report_needs_the_corpora_no_more(project, two, monkeypatch):
    (project / "sets").mkdir()
    for folder in two:
        shutil.move(folder, project / "sets" / folder.name)
    monkeypatch.setenv("BEIR_DATA_DIR", str(project / "sets"))
    runner.run("some", {"corpus": "local"}, [], project / "runs.yaml")
    monkeypatch.delenv("BEIR_DATA_DIR")
    text = report.build("some", {"corpus": "local"}, project / "runs.yaml").read_text(encoding="utf-8")
    assert "3 of 3 notebooks" in text and text.count("/index.html") == 2


def test_what_an_earlier_run_left_of_what_fails_now_is_gone(project, two):
    for name, notebook in (("p/one", "01_first"), ("p/two", "01_first")):
        rows = results.published_file(name, notebook)
        for file in (rows, rows.with_suffix(".machine.json"), outcomes.executed_file(name, notebook)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    outcomes.forget("p/one", "01_first")
    left = [file for file in [*paths.DATA.rglob("01_first*"), *paths.REPORTS.rglob("01_first*")] if file.is_file()]
    assert len(left) == 3 and all("two" in file.parts for file in left)
    run_rows.write_members("p", {"p/one": "", "p/two": "no judgements"}, ["01_first"])
    found = run_rows.read_each("p")
    assert found["two"].rows.empty and not found["two"].problems
    assert "two was not run: no judgements" in run_rows.together("p", found).problems


def test_a_reader_alone_reads_what_the_corpora_left(project, two):
    _, name, _ = run(project, two, "some")
    before = run_rows.members(name)
    code, again, _ = run(project, two, "some", only=[READING])
    assert (code, again) == (0, name) and run_rows.members(name) == before


def test_an_expected_value_is_compared_on_its_own_corpus(project, two, monkeypatch):
    entry = {"profile": "p", "notebook": "01_first", "metric": "ndcg@10", "value": 0.5, "tolerance": 0.1}
    plan = {"expected": [{**entry, "where": {"corpus": "one"}}, {**entry, "where": {"corpus": "other"}}]}
    found = outcomes.compare_all(plan, "p", {}, {"01_first": "one"}, "p/one")
    assert [value.what for value in found] == ["ndcg@10 of one"]
    assert outcomes.compare_all(plan, "p", {}, {"01_first": "third"}, "p/third") == []
    assert outcomes.compare_all(plan, "p", {}, {"02_second": "one"}, "p/one") == []
