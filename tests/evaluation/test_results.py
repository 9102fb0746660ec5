"""A measurement is made once for all that decides it; what a notebook publishes is complete and replaceable."""

import importlib.metadata
import json
import os
import platform
import re
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import psutil
import pytest
from workbook.corpora import corpora
from workbook.errors import WorkbookError
from workbook.evaluation import results

ABOUT = {"corpus": "abc", "dimension": 64, "search": {"exact": True}}
ROWS = pd.DataFrame({"corpus": ["tiny"], "metric": ["ndcg@10"], "value": [0.645]})


def stored_files(data):
    return [path for path in data.rglob("*") if path.is_file()]


@pytest.fixture
def record(data):
    """A stored measurement: its file."""
    results.remember("cells", ABOUT, Mock(return_value={"value": 0.5}))
    [file] = stored_files(data)
    return file


def test_the_second_time_nothing_is_measured(data):
    measure = Mock(return_value={"value": 0.5})
    assert results.find("cells", ABOUT) is None
    first, second = (results.remember("cells", ABOUT, measure) for _ in range(2))
    assert measure.call_count == 1
    assert first == second == results.find("cells", ABOUT)
    assert (first["values"], first["about"], first["machine"]) == ({"value": 0.5}, ABOUT, results.machine())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first["measured"])


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("cells", {**ABOUT, "dimension": 32}),
        ("cells", {**ABOUT, "search": {"exact": False}}),
        ("cells", {**ABOUT, "repeats": 3}),
        ("speed", ABOUT),
    ],
    ids=["value", "nested value", "one more", "kind"],
)
def test_something_else_is_measured_again(record, kind, about):
    measure = Mock(return_value={"value": 0.7})
    assert results.remember(kind, about, measure)["values"] == {"value": 0.7}
    assert measure.call_count == 1


def test_another_machine_measures_again(record, monkeypatch):
    before = results.key_of(ABOUT)
    facts = results.machine()
    monkeypatch.setattr(results, "machine", lambda: {**facts, "cores": facts["cores"] + 1})
    assert results.key_of(ABOUT) != before
    assert results.find("cells", ABOUT) is None


def test_numpy_values_are_stored_as_plain_ones(data):
    measure = Mock(
        return_value={"f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(3), "nested": [{"i": np.int64(7)}]}
    )
    plain = {"f": 0.5, "b": True, "a": [0, 1, 2], "nested": [{"i": 7}]}
    about = {"dimension": np.int64(64)}
    for _ in range(2):
        assert results.remember("cells", about, measure)["values"] == plain
    assert measure.call_count == 1
    assert results.key_of(about) == results.key_of({"dimension": 64})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-20],
        lambda content: b"",
        lambda content: b"\xff" + content,
        lambda content: b"[1]",
        lambda content: content.replace(b'"schema": %d' % results.SCHEMA, b'"schema": 0'),
        lambda content: content.replace(b'"values"', b'"other"'),
    ],
    ids=["cut short", "empty", "not text", "a list", "another schema", "no values"],
)
def test_a_broken_record_is_measured_again(record, spoil):
    record.write_bytes(spoil(record.read_bytes()))
    again, then = Mock(return_value={"value": 0.7}), Mock(return_value={"value": 0.9})
    for measure in (again, then):
        assert results.remember("cells", ABOUT, measure)["values"] == {"value": 0.7}
    assert (again.call_count, then.call_count) == (1, 0)


@pytest.mark.parametrize("error", [WorkbookError("no room"), KeyboardInterrupt()])
def test_a_measurement_that_fails_is_not_stored(data, error):
    with pytest.raises(type(error)):
        results.remember("cells", ABOUT, Mock(side_effect=error))
    assert stored_files(data) == []


def test_a_record_names_neither_paths_nor_people(record):
    text = record.read_text()
    strings = re.findall(r'"([^"]*)"', text)
    assert [string for string in strings if string.startswith(("/", "~")) or ":\\" in string] == []
    for private in filter(None, [Path.home().name, platform.node()]):
        assert not re.search(rf"\b{re.escape(private)}\b", text)


def test_machine_says_what_a_time_depends_on():
    facts = results.machine()
    assert re.search(r"\w{3}", facts["cpu"])
    assert 1 <= facts["cores"] <= os.cpu_count()
    assert facts["ram_gb"] == pytest.approx(psutil.virtual_memory().total / 2**30, abs=0.5)
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["packages"]["qdrant-edge-py"] == importlib.metadata.version("qdrant-edge-py")
    assert results.machine_label() == f"{facts['cpu']}, {facts['cores']} cores, {facts['ram_gb']} GB"


def test_a_gpu_is_named_where_there_is_one(tmp_path, monkeypatch):
    driver = tmp_path / "version"
    driver.touch()
    monkeypatch.setattr(results, "NVIDIA", driver)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Planted GPU")
    facts = results.machine.__wrapped__()
    assert facts["gpu"] == "Planted GPU"
    assert "gpu" not in results.machine()
    monkeypatch.setattr(results, "machine", lambda: facts)
    assert results.machine_label().endswith(", Planted GPU")


def test_a_measurement_is_found_by_the_key_that_rows_give(data):
    record = results.remember("speed", {"model": "a"}, lambda: {"seconds": [1.0]})
    assert results.read("speed", record["key"]) == record
    assert results.read("cells", record["key"]) is None and results.read("speed", "0" * 16) is None


def test_published_rows_have_every_column(data, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "quick")
    results.publish("01_static", ROWS)
    file = results.published_file(results.run_name(), "01_static")
    assert file == results.published_file("quick", "01_static")
    machine = file.with_name("01_static.machine.json")
    assert set(stored_files(data)) == {file, machine}
    facts = json.loads(machine.read_text(encoding="utf-8"))
    assert facts.pop("published").startswith("20") and facts.pop("schema") == results.SCHEMA
    assert facts == results.machine()
    published = results.read_rows(file)
    assert published.columns.tolist() == ["notebook", "run", *results.COLUMNS]
    [row] = published.to_dict("records")
    assert (row["notebook"], row["run"], row["corpus"], row["value"]) == ("01_static", "quick", "tiny", 0.645)
    assert pd.isna(row["model"])


def test_outside_the_runner_the_run_is_interactive(data, monkeypatch):
    monkeypatch.delenv("WORKBOOK_RUN", raising=False)
    assert results.run_name() == "interactive"
    assert "results/runs/interactive/01_static.csv" in results.publish("01_static", ROWS)
    assert results.published_file("interactive", "01_static").is_file()


def test_publishing_again_replaces(data):
    results.publish("01_static", pd.concat([ROWS, ROWS]))
    results.publish("01_static", ROWS.assign(value=0.7))
    file = results.published_file(results.run_name(), "01_static")
    assert results.read_rows(file)["value"].tolist() == [0.7]
    assert len(stored_files(data)) == 2


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (ROWS.assign(ndcg=1), r"unknown: \['ndcg'\]"),
        (ROWS.iloc[:0], "rows need metric and value"),
        (ROWS.drop(columns="metric"), "rows need metric and value"),
        (ROWS.drop(columns="value"), "rows need metric and value"),
    ],
    ids=["unknown column", "no rows", "no metric", "no value"],
)
def test_rows_that_cannot_be_read_later_are_refused(data, frame, words):
    with pytest.raises(WorkbookError, match=words):
        results.publish("01_static", frame)
    assert stored_files(data) == []


def test_the_first_record_is_the_stored_one(data):
    about = {"dims": (64, 32), "n": np.int64(3)}
    first = results.remember("cells", about, dict)
    assert first == results.find("cells", about)


def test_what_cannot_be_stored_is_no_measurement(data):
    with pytest.raises(TypeError, match="set cannot be stored"):
        results.remember("cells", ABOUT, lambda: {"value": {0.5}})
    assert results.find("cells", ABOUT) is None and stored_files(data) == []


def test_what_ran_tells_parameters_without_this_machines_folders():
    shown = results.what_ran(corpora.load("sample"), given={"corpus": "/home/me/x.csv", "seed": 0, "query": "<b>"})
    assert shown.data.loc["parameters", ""] == 'corpus x.csv; seed 0; query "<b>"'
    assert "/home/me" not in shown.to_html() and "<b>" not in shown.to_html()


@pytest.mark.parametrize(
    "name", ["007", "1e5", "2024-01-01", "NA", "None", "nan", "null", "True", "us$_$", 'a"b', "x\ny"]
)
def test_names_that_look_like_something_else_are_read_back_as_they_were(data, name):
    row = {"corpus": name, "model": name, "setting": name, "search": name, "method": name, "metric": "ndcg@10"}
    results.publish("01_static", pd.DataFrame([{**row, "value": 0.1 + 0.2, "dimension": 64, "n": 3}]))
    [read] = results.read_rows(results.published_file(results.run_name(), "01_static")).to_dict("records")
    assert {column: read[column] for column in row} == row
    assert (read["value"], read["dimension"], read["n"]) == (0.1 + 0.2, 64, 3)
    assert pd.isna(read["low"]) and pd.isna(read["key"]), "what is missing stays missing"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("fpu avx2 avx512f avx512_bf16 amx_tile", "AMX"),
        ("fpu avx2 avx512f avx512_bf16", "AVX-512 with bfloat16"),
        ("fpu avx2 avx512f", "AVX-512"),
        ("fpu avx2", "AVX2"),
        ("fpu sse", "no AVX2"),
    ],
)
def test_the_widest_instructions_of_the_cpu_are_told(tmp_path, monkeypatch, flags, told):
    (tmp_path / "cpuinfo").write_text(f"model name : Abacus\nflags\t\t: {flags}\n")
    monkeypatch.setattr(results, "CPUINFO", tmp_path / "cpuinfo")
    assert results.instruction_set.__wrapped__() == told
    monkeypatch.setattr(results, "CPUINFO", tmp_path / "none")
    assert results.instruction_set.__wrapped__() == ""
