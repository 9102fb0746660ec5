"""Rows of a run are read together only if they go together, and what does not is said."""

import json

import pandas as pd
import pytest
from published_run import publish, rows
from workbook import paths
from workbook.conclusions import run_rows
from workbook.evaluation import results

NOTEBOOKS = [
    "01_static_vs_transformer", "02_encoding_speed", "03_matryoshka_dimensions", "04_quantization_vs_ndcg",
    "05_train_your_own", "06_your_data", "07_when_to_pay_attention",
]  # fmt: skip


@pytest.fixture
def made(data, monkeypatch):
    publish(monkeypatch)


def edit(notebook, **facts):
    file = results.published_file("made", notebook).with_suffix(".machine.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **facts}))


def test_every_numbered_notebook_but_the_last_publishes():
    assert run_rows.needed() == NOTEBOOKS
    assert (paths.NOTEBOOKS / "08_should_you_pay_attention.ipynb").is_file()


def test_all_rows_of_a_run_are_read(made):
    found = run_rows.read("made")
    assert found.problems == []
    assert list(found.machines) == NOTEBOOKS
    assert list(found.rows["notebook"].unique()) == NOTEBOOKS
    assert found.corpus == "made"
    assert len(found.rows) == sum(map(len, rows().values()))


def test_a_run_without_rows_is_empty_and_says_so(data):
    found = run_rows.read("made")
    assert found.rows.empty and set(found.rows.columns) == set(results.HEADER)
    assert len(found.problems) == len(NOTEBOOKS)
    assert "01_static_vs_transformer has no rows in run made" in found.problems[0]
    assert found.corpus == "" and run_rows.runs() == [] and run_rows.latest() == results.run_name()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("a,b\n1,2\n"),
        lambda file: pd.read_csv(file, dtype=str).drop(columns="standard_error").to_csv(file, index=False),
        lambda file: file.write_text(""),
        lambda file: file.write_text(file.read_text().replace("ndcg@10", 'ndcg@10",\n"x,,,,', 1)),
        lambda file: file.write_bytes(b"\xff\xfe\x00"),
        lambda file: file.with_suffix(".machine.json").write_text("{"),
        lambda file: file.with_suffix(".machine.json").write_text("[]"),
        lambda file: file.with_suffix(".machine.json").write_text(json.dumps({"schema": results.SCHEMA})),
        lambda file: file.write_text(file.read_text().replace(",64,", ",1.5,")),
        lambda file: edit("04_quantization_vs_ndcg", schema=results.SCHEMA - 1),
    ],
)
def test_rows_of_another_schema_are_left_out_and_named(made, spoil):
    spoil(results.published_file("made", "04_quantization_vs_ndcg"))
    found = run_rows.read("made")
    [problem] = found.problems
    assert problem.startswith("The rows of 04_quantization_vs_ndcg in run made cannot be used")
    assert "run it again" in problem
    assert "04_quantization_vs_ndcg" not in set(found.rows["notebook"])
    assert len(found.machines) == len(NOTEBOOKS) - 1


def test_rows_without_the_facts_beside_them_count_as_not_run(made):
    results.published_file("made", "02_encoding_speed").with_suffix(".machine.json").unlink()
    assert ["02_encoding_speed has no rows" in problem for problem in run_rows.read("made").problems] == [True]


def test_of_two_machines_the_rows_of_this_one_are_kept(made):
    for notebook in NOTEBOOKS[:4]:
        edit(notebook, cpu="Abacus 3000", cores=1)
    found = run_rows.read("made")
    assert list(found.machines) == NOTEBOOKS[4:]
    assert len(found.problems) == 4
    assert "cores 1, not" in found.problems[0] and "cpu Abacus 3000, not" in found.problems[0]


def test_of_two_other_machines_the_rows_of_the_one_with_most_notebooks_are_kept(made):
    for notebook in NOTEBOOKS:
        edit(notebook, cpu="Abacus 3000")
    assert run_rows.read("made").problems == [], "all of one machine, though not of this"
    edit("02_encoding_speed", cpu="Abacus 4000")
    [problem] = run_rows.read("made").problems
    assert problem.startswith("02_encoding_speed was run on another machine than the rest (cpu Abacus 4000, not")


def test_other_packages_are_another_machine(made):
    edit("03_matryoshka_dimensions", packages={"numpy": "1.0"})
    [problem] = run_rows.read("made").problems
    assert "numpy 1.0, not" in problem


def test_in_jupyterlab_the_latest_run_that_measured_is_read(made, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "interactive")
    results.publish("08_should_you_pay_attention", rows()["06_your_data"])
    assert run_rows.latest() == "interactive", "the runner says which"
    monkeypatch.delenv("WORKBOOK_RUN")
    assert results.run_name() == "interactive"
    assert run_rows.runs() == ["made"] and run_rows.latest() == "made", "notebook 08 measures nothing"


def test_only_what_is_asked_for_is_missed(made):
    found = run_rows.read("nothing", ["02_encoding_speed"])
    assert [problem[:17] for problem in found.problems] == ["02_encoding_speed"]
    assert run_rows.read("made", ["02_encoding_speed"]).problems == []


def test_rows_of_another_corpus_are_left_out_and_named(made):
    other = rows()["03_matryoshka_dimensions"].assign(corpus="other")
    results.publish("03_matryoshka_dimensions", other)
    found = run_rows.read("made")
    [problem] = found.problems
    assert problem.startswith("03_matryoshka_dimensions was run on another corpus than the rest (other, not made)")
    assert found.corpus == "made" and "03_matryoshka_dimensions" not in found.machines


def test_what_is_read_names_run_rows_and_machine(made):
    shown = run_rows.what_is_read(run_rows.read("made")).data[""]
    assert shown["run"] == "made" and shown["corpus"] == "made"
    assert shown["02_encoding_speed"].startswith("5 rows of 20") and "cores" in shown["02_encoding_speed"]
