"""The runner on small notebooks of its own: what is refused before the start, and how each way to end is reported."""

import json
import re

import nbformat
import pandas as pd
import pytest
import yaml
from tokenizers import Tokenizer, models
from workbook import __main__, paths
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import outcomes, plan, runner

DEFAULTS = 'corpus = "sample"  # a corpus\nrepeats = 2'


def write_notebook(folder, name, *cells, tags=("parameters",)):
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    notebook.cells[0].metadata["tags"] = list(tags)
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture
def project(tmp_path, data, monkeypatch):
    """Three notebooks - good, failing, slow - with a plan, and a data folder of their own."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    write_notebook(folder, "good", DEFAULTS, 'from pathlib import Path\nprint("ran with", corpus, repeats, Path.cwd())')
    write_notebook(folder, "failing", DEFAULTS, 'raise ValueError("planted failure")')
    write_notebook(folder, "slow", DEFAULTS, "import time; time.sleep(60)")
    write_notebook(folder, "untagged", DEFAULTS, tags=())
    content = {
        "profiles": {
            "good": {"parameters": {"repeats": 5}, "notebooks": {"good": {}}},
            "mixed": {"notebooks": {"failing": {}, "good": {}}},
            "slow": {"cell_timeout_s": 1, "notebooks": {"slow": {}}},
            "untagged": {"notebooks": {"untagged": {}}},
            "unknown-parameter": {"notebooks": {"good": {"repeat": 3}}},
            "bad-value": {"notebooks": {"good": {"repeats": 0}}},
            "missing": {"notebooks": {"nowhere": {}}},
        },
        "expected": [
            {"profile": "good", "notebook": "good", "metric": "ndcg@10", "value": 0.5, "tolerance": 0.01, "near": 0.1,
             "where": {"model": "a", "dimension": 64}}
        ],
    }  # fmt: skip
    write_plan(tmp_path, content)
    return tmp_path


def write_plan(project, content):
    (project / "runs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def run(project, profile, overrides=None, only=()):
    return runner.run(profile, overrides or {}, list(only), project / "runs.yaml")


def publish(monkeypatch, value):
    """Stand in for the rows that the notebook `good` would publish in the run `good`."""
    monkeypatch.setenv("WORKBOOK_RUN", "good")
    results.publish("good", pd.DataFrame([{"model": "a", "dimension": 64, "metric": "ndcg@10", "value": value}]))


@pytest.mark.parametrize(
    ("value", "exit_code", "verdict"), [(0.505, 0, "OK"), (0.55, 0, "near"), (0.7, 1, "FAIL"), (None, 1, "no row")]
)
def test_expected_values_decide_the_exit_code(project, monkeypatch, capsys, value, exit_code, verdict):
    publish(monkeypatch, 0.0 if value is None else value)
    if value is None:
        file = results.published_file("good", "good")
        file.write_text(file.read_text().replace("ndcg@10", "another metric"))
    monkeypatch.setattr(runner, "execute", lambda job, name: runner.Outcome(job.notebook, 1.0, ""))
    assert run(project, "good") == exit_code
    assert verdict in capsys.readouterr().out


def test_a_notebook_runs_with_the_plans_parameters_and_leaves_no_half_file(project, monkeypatch, capsys):
    publish(monkeypatch, 0.5)
    assert run(project, "good") == 0
    executed = json.loads((project / "reports" / "good" / "good.ipynb").read_text())
    assert "ran with sample 5" in json.dumps(executed)
    assert str(paths.NOTEBOOKS) not in json.dumps(executed), "a path of this machine"
    assert [file.name for file in (project / "reports" / "good").iterdir()] == ["good.ipynb"]
    assert "good" in capsys.readouterr().out


def test_a_failed_notebook_is_reported_and_the_next_still_runs(project, capsys):
    assert run(project, "mixed") == 1
    out = capsys.readouterr().out
    assert "FAILED: ValueError: planted failure" in out
    assert (project / "reports" / "mixed" / "good.ipynb").is_file()
    assert "planted failure" in (project / "reports" / "mixed" / "failing.ipynb").read_text(), "the traceback is lost"


def test_a_cell_over_its_time_fails_its_notebook(project, capsys):
    assert run(project, "slow") == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("profile", "overrides", "only", "message"),
    [
        ("nightly", {}, [], "unknown profile 'nightly': give one of "),
        ("good", {}, ["bad"], "has no notebook 'bad'"),
        ("good", {"corpus": "no-such-corpus"}, [], "unknown corpus 'no-such-corpus'"),
        ("unknown-parameter", {}, [], "good has no parameter repeat; it has corpus, repeats"),
        ("bad-value", {}, [], "good: parameter repeats: 0 is not"),
        ("missing", {}, [], "no notebook nowhere.ipynb"),
        ("untagged", {}, [], "no cell tagged `parameters`"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(project, profile, overrides, only, message, monkeypatch):
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("it started"))
    with pytest.raises(WorkbookError, match=message) as raised:
        run(project, profile, overrides, only)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profile": "nightly"}, "which is not planned"),
        ({"notebook": "slow"}, "which is not planned"),
        ({"where": {"models": "a"}}, "no column models"),
        ({"tolerance": None}, "lacks tolerance"),
    ],
)
def test_an_expected_value_that_would_never_be_compared_is_refused(project, change, message):
    content = yaml.safe_load((project / "runs.yaml").read_text())
    entry = {**content["expected"][0], **change}
    content["expected"] = [{name: value for name, value in entry.items() if value is not None}]
    write_plan(project, content)
    with pytest.raises(WorkbookError, match=message):
        plan.read(project / "runs.yaml")


@pytest.mark.parametrize("content", ["profiles: [", "- a list", "", "profile: {}"])
def test_a_broken_plan_is_one_clear_line(tmp_path, content):
    file = tmp_path / "runs.yaml"
    file.write_text(content)
    with pytest.raises(WorkbookError, match=r"runs\.yaml"):
        plan.read(file)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-2", 0.01), ("1E3", 1000.0), ("1.5e+2", 150.0), (".5", 0.5), ("-3", -3), ("0", 0), ("0.50", 0.5),
        ("true", True), ("false", False), ("null", None), ("~", None), ("'010'", "010"), ('"1:30"', "1:30"),
        ("y", "y"), ("1.2.3", "1.2.3"), ("'yes'", "yes"), ("a1e-2", "a1e-2"), ("2020-1", "2020-1"),
    ],
)  # fmt: skip
def test_a_plain_value_of_a_plan_has_one_reading(tmp_path, written, read):
    (tmp_path / "runs.yaml").write_text(f"profiles: {{p: {{notebooks: {{x: {{margin: {written}}}}}}}}}")
    found = plan.read(tmp_path / "runs.yaml")["profiles"]["p"]["notebooks"]["x"]["margin"]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("010", "010 is 8 to YAML: write 8, or quote it"), ("-010", "-010 is -8 to YAML: write -8, or quote it"),
        ("0x1F", "0x1F is 31 to YAML: write 31"), ("0b11", "0b11 is 3 to YAML: write 3"), ("00", "00 is 0 to YAML"),
        ("1:30", "1:30 is 90 to YAML: write 90, or quote it"), ("1:30.5", "1:30.5 is 90.5 to YAML: write 90.5"),
        ("1_000", "1_000 is 1000 to YAML: write 1000"), ("1_0.5", "1_0.5 is 10.5 to YAML: write 10.5"),
        ("007.5", "007.5 is 7.5 to YAML: write 7.5"), ("on", "on is true to YAML: write true, or quote it"),
        ("No", "No is false to YAML: write false"), ("2020-01-01", "2020-01-01 can be read as more than a text: quote"),
        ("2020-99-99", "2020-99-99 can be read as more"), ("08", "08 can be read as more than a text: quote it"),
        ("<<", "<< can be read as more than a text: quote it"), ("=", "= can be read as more than a text: quote it"),
    ],
)  # fmt: skip
def test_a_plain_value_with_two_readings_is_refused_with_its_line(tmp_path, written, advice):
    (tmp_path / "runs.yaml").write_text(f"profiles:\n  p:\n    notebooks:\n      x: {{limit: {written}}}\n")
    with pytest.raises(WorkbookError, match=rf"^runs\.yaml:4 .*: {re.escape(advice)}"):
        plan.read(tmp_path / "runs.yaml")


def test_the_committed_plan_reads_as_any_yaml_would():
    assert plan.read(plan.PLAN) == yaml.safe_load(plan.PLAN.read_text(encoding="utf-8"))


def test_a_default_is_read_as_python_not_as_yaml(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell(
        "margin = 1e-2\nlimit = 1_000\nwhen = '010'\nstrict = False", metadata={"tags": ["parameters"]}
    )
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "x.ipynb")
    monkeypatch.setattr(plan.paths, "NOTEBOOKS", tmp_path)
    assert plan.declared_parameters("x") == {"margin": 0.01, "limit": 1_000, "when": "010", "strict": False}


def test_a_folder_given_as_corpus_is_found_from_any_notebook(project, beir_folder, monkeypatch):
    monkeypatch.chdir(beir_folder.parent)
    content = plan.read(project / "runs.yaml")
    (job,) = plan.prepare(content, "good", {"corpus": beir_folder.name}, [])
    assert job.parameters["corpus"] == str(beir_folder.resolve())


@pytest.mark.parametrize("ended", [("2026-01-01", None, True), ("2026-01-01", True, False), (None, None, False)])
def test_a_half_run_notebook_is_not_taken_for_a_finished_one(ended):
    facts = dict(zip(("end_time", "exception"), ended, strict=False))
    assert (not outcomes.error_of({"cells": [], "metadata": {"papermill": facts}})) == ended[2]


def test_the_environment_of_a_run_is_put_back(monkeypatch):
    import os

    monkeypatch.setenv("TQDM_DISABLE", "kept")
    monkeypatch.delenv("WORKBOOK_RUN", raising=False)
    with runner._environment({"TQDM_DISABLE": "1", "WORKBOOK_RUN": "x"}):
        assert (os.environ["TQDM_DISABLE"], os.environ["WORKBOOK_RUN"]) == ("1", "x")
    assert os.environ["TQDM_DISABLE"] == "kept"
    assert "WORKBOOK_RUN" not in os.environ


def test_the_command_line_turns_bad_input_into_one_line_and_exit_code_1(capsys):
    assert __main__.main(["run", "--profile", "nightly"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: unknown profile 'nightly'")
    assert captured.err.count("\n") == 1


def test_ctrl_c_says_that_nothing_is_lost(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupt)
    assert __main__.main(["run"]) == 1
    assert "goes on from there" in capsys.readouterr().err


def test_a_name_too_long_for_a_folder_is_refused():
    assert outcomes.run_name("smoke", {"corpus": "x" * 194}) == "smoke+" + "x" * 194
    with pytest.raises(WorkbookError, match="x is too long for the name of a folder: give the corpus or model a sh"):
        outcomes.run_name("smoke", {"corpus": "x" * 195})


def test_a_model_whose_files_do_not_fit_together_is_refused_before_the_first_notebook(tmp_path):
    model = encoders.load("tiny-static").model
    model.save(str(tmp_path / "mine"))
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 10**6}, unk_token="[UNK]"))
    tokenizer.save(str(tmp_path / "mine" / "tokenizer.json"))
    job = plan.Job("01_first", {"static_model": str(tmp_path / "mine")}, 60)
    with pytest.raises(WorkbookError, match=r"mine cannot encode a text \(\w+\): give an embedding model whose files"):
        runner.fetch([job])
