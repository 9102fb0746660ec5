"""The runner on small notebooks of its own: what is refused before the start, and how each way to end is reported."""

import json
import os
import re
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import yaml
from tokenizers import Tokenizer, models
from workbook import __main__, paths
from workbook.corpora.corpora import Corpus, Document
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import grid
from workbook.runs import outcomes, plan, runner
from workbook.runs.parts import Part

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
            "missing": {"notebooks": {"nowhere": {}}},
            "bad-value": {"notebooks": {"good": {"repeats": 0}}},
        },
        "expected": [
            {"profile": "good", "notebook": "good", "metric": "ndcg@10", "value": 0.5, "tolerance": 0.01, "near": 0.1,
             "where": {"model": "a", "dimension": 64}}
        ],
    }  # fmt: skip
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


def run(project, profile):
    return runner.run(profile, {}, [], project / "runs.yaml")


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
    monkeypatch.setattr(runner, "execute", lambda part, job: runner.Outcome(part.run, "", job.notebook, 1.0, ""))
    assert run(project, "good") == exit_code
    assert verdict in capsys.readouterr().out


def test_a_notebook_runs_with_the_plans_parameters_and_leaves_no_half_file(project, monkeypatch, capsys):
    publish(monkeypatch, 0.5)
    monkeypatch.setattr(runner, "forget", lambda *_: None)  # the notebook publishes nothing itself
    assert run(project, "good") == 0
    executed = json.loads((project / "reports" / "good" / "good.ipynb").read_text())
    assert "ran with sample 5" in json.dumps(executed)
    assert str(paths.NOTEBOOKS) not in json.dumps(executed), "a path of this machine"
    assert [file.name for file in (project / "reports" / "good").iterdir()] == ["good.ipynb"]
    assert "good" in capsys.readouterr().out


def test_a_failed_notebook_is_reported_and_the_next_still_runs(project, monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "kept")
    monkeypatch.delenv("WORKBOOK_RUN", raising=False)
    before = dict(os.environ)
    assert run(project, "mixed") == 1
    assert dict(os.environ) == before, "the kernels' environment is left behind"
    out = capsys.readouterr().out
    assert "FAILED: ValueError: planted failure" in out
    assert (project / "reports" / "mixed" / "good.ipynb").is_file()
    assert "planted failure" in (project / "reports" / "mixed" / "failing.ipynb").read_text(), "the traceback is lost"


def test_a_cell_over_its_time_fails_its_notebook(project, capsys):
    assert run(project, "slow") == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("bad-value", "good: parameter repeats: 0 is not"),
        ("missing", "no notebook nowhere.ipynb"),
        ("untagged", "no cell tagged `parameters`"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(project, profile, message, monkeypatch):
    monkeypatch.setattr(runner, "execute", lambda *_: pytest.fail("it started"))
    with pytest.raises(WorkbookError, match=message) as raised:
        run(project, profile)
    assert "\n" not in str(raised.value)


def test_a_folder_given_as_corpus_is_found_from_any_notebook(project, beir_folder, monkeypatch):
    monkeypatch.chdir(beir_folder.parent)
    content = plan.read(project / "runs.yaml")
    (job,) = plan.prepare(content, "good", {"corpus": beir_folder.name}, [])
    assert job.parameters["corpus"] == str(beir_folder.resolve())


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
        runner.fetch([Part("mine", "", [job])])


def test_texts_are_encoded_ahead_with_the_models_that_search_them(data, monkeypatch):
    encoded = []
    monkeypatch.setattr(grid, "encode", lambda corpus, encoder: encoded.append((corpus.name, encoder.name)))
    values = {"corpus": "sample", "static_model": "tiny-static", "transformer_model": "", "engine_name": "edge"}
    job = plan.Job("01_first", {**values, "large_model": "tiny-transformer"}, 60)
    runner.fetch([Part("x", "", [job])])
    assert encoded == [("sample", "tiny-static"), ("sample", "tiny-transformer")]


def test_what_is_encoded_is_not_told_again(data, capsys):
    values = {"corpus": "sample", "static_model": "tiny-static", "transformer_model": "", "engine_name": "edge"}
    told = []
    for _ in range(2):
        runner.fetch([Part("x", "", [plan.Job("01_first", values, 60)])])
        told.append("encoding the texts of sample with tiny-static" in capsys.readouterr().out)
    assert told == [True, False]


def test_a_model_with_random_weights_is_timed_and_its_texts_are_not_encoded_ahead(data, monkeypatch):
    monkeypatch.setattr(grid, "encode", lambda *_: pytest.fail("encoded"))
    values = {"corpus": "sample", "static_model": "mpnet-shape-random", "engine_name": "edge"}
    runner.fetch([Part("x", "", [plan.Job("01_first", values, 60)])])


def test_how_long_encoding_takes_is_told_by_the_pace_of_the_same_model(data, monkeypatch, capsys):
    clock = iter(range(0, 10_000, 300))
    monkeypatch.setattr(runner.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(grid, "encode", lambda *_: None)
    values = {"corpus": "sample", "static_model": "tiny-static", "transformer_model": "", "engine_name": "edge"}
    parts = [Part(name, name, [plan.Job("01_first", {**values, "strict": strict}, 60)])
             for name, strict in (("one", False), ("two", True))]  # fmt: skip
    monkeypatch.setattr(runner.parameters, "load_corpus", lambda values: loaded(str(values["strict"])))
    runner.fetch(parts)
    told = [line for line in capsys.readouterr().out.splitlines() if "encoding" in line]
    assert told == [
        "[0/2] encoding the texts of x with tiny-static, corpus 1 of 2",
        "[0/2] encoding the texts of x with tiny-static, corpus 2 of 2, about 7 min left",
    ]
    runner.fetch(parts)
    told = [line for line in capsys.readouterr().out.splitlines() if "encoding" in line]
    assert told[0].endswith("corpus 1 of 2, about 9 min left"), "what the earlier run took is not known"


def test_before_the_first_notebook_each_step_of_the_speed_test_is_told_with_the_time_left(data, monkeypatch, capsys):
    clock = iter([100.0, 220.0, 460.0])
    monkeypatch.setattr(runner.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(runner.ingest_runs, "measure", lambda _: None)
    monkeypatch.setattr(runner.ingest_runs, "check_room", lambda _: None)
    jobs = [ingest_job(n) for n in (500, 1_000, 3_000, 1_000)]
    monkeypatch.setattr(runner.parameters, "scale_jobs", lambda _: jobs)
    runner.fetch([Part("x", "", [plan.Job("02_speed", {"documents": []}, 60)])])
    assert capsys.readouterr().out.splitlines() == [
        "[0/1] checking the models",
        "[0/1] preparing the speed test, 1 of 4: 500 documents",
        "[0/1] preparing the speed test, 2 of 4: 1,000 documents",
        "[0/1] preparing the speed test, 3 of 4: 3,000 documents, about 8 min left",
        "[0/1] preparing the speed test, 4 of 4: 1,000 documents, about 2 min left",
    ]


def ingest_job(n):
    return runner.ingest_runs.Job("sample", n, "tiny-static", 64)


def test_the_end_says_what_was_found_and_how_to_make_the_report(project, monkeypatch, capsys):
    said = SimpleNamespace(problems=[], claim="Not settled on x: one against two.")
    monkeypatch.setattr(outcomes, "measuring", lambda notebooks: list(notebooks))
    monkeypatch.setattr(outcomes, "conclude", lambda run, notebooks: said)
    monkeypatch.setattr(runner, "execute", lambda part, job: runner.Outcome(part.run, "", job.notebook, 1.0, ""))
    run(project, "mixed")
    end = ["", "Not settled on x: one against two.", "", "Make the report, in seconds: make report PROFILE=mixed"]
    assert capsys.readouterr().out.splitlines()[-4:] == end
    said.problems.append("notebook 05 was run elsewhere")
    told = outcomes.concluded("mixed", {}, ["good"])
    assert "\nNot settled on x: one against two.\nIncomplete: notebook 05 was run elsewhere\n" in told
    runner.run("mixed", {}, ["good"], project / "runs.yaml")
    assert "Make the report" not in capsys.readouterr().out, "of one notebook"


def test_the_end_says_why_there_is_no_answer(data):
    told = outcomes.concluded(
        "smoke", {"corpus": "sample"}, ["01_static_vs_transformer", "08_should_you_pay_attention"]
    )
    what = "it was not run, or not to its end."
    assert re.fullmatch(rf"\nNot measured.*\nIncomplete: 01_.*{what}\n\nMake .*: make report .*CORPUS=sample", told)
    told = outcomes.concluded("smoke", {}, ["08_should_you_pay_attention"])
    assert told == "\nMake the report, in seconds: make report PROFILE=smoke"


def test_the_command_speaks_before_its_libraries_are_loaded(monkeypatch, capsys):
    told = []
    monkeypatch.setattr(runner, "run", lambda *_: told.append(capsys.readouterr().out) or 0)
    __main__.main(["run", "--profile", "smoke"])
    assert told == ["profile smoke: checking what it asks for\n"]


def loaded(text):
    return Corpus("x", {"d": Document("", text * (2 if text == "True" else 1))}, {"q": "what"}, {"q": {"d": 1}})
