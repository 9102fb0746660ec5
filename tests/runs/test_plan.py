"""The plan: each plain value has one reading, each expected value can be compared, defaults are read as Python."""

import re

import nbformat
import pytest
import yaml
from workbook.errors import WorkbookError
from workbook.runs import plan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"notebook": "slow"}, "which is not planned"),
        ({"where": {"models": "a"}}, "no column models"),
        ({"tolerance": None}, "lacks tolerance"),
    ],
)
def test_an_expected_value_that_would_never_be_compared_is_refused(tmp_path, change, message):
    good = {"profile": "p", "notebook": "x", "metric": "a", "value": 0.5, "tolerance": 0.01, "where": {"model": "a"}}
    entry = {name: value for name, value in {**good, **change}.items() if value is not None}
    content = {"profiles": {"p": {"notebooks": {"x": {}}}}, "expected": [entry]}
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(WorkbookError, match=message):
        plan.read(tmp_path / "runs.yaml")


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
