"""The report of a run: built from whatever there is, whole, saying what is missing, with nothing of this machine."""

import json
import os
import re
import zipfile

import html5lib
import nbformat
import pandas as pd
import published_run
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from workbook import __main__, paths
from workbook.conclusions import run_rows
from workbook.evaluation import results
from workbook.names import VERDICT
from workbook.runs import kept, outcomes, report

ENDED = {"end_time": "2026-01-02T03:04:05.6+00:00", "exception": None, "duration": 100}
ENDED["parameters"] = {"corpus": "tiny"}
TITLES = {"01_first": "What is first?", "02_second": "What is second?", VERDICT: "So what?"}
SECRET = "planted-secret-value"


@pytest.fixture
def project(tmp_path, data, monkeypatch):
    """Three planned notebooks, none of them run, in a project of their own."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    monkeypatch.setenv("WORKBOOK_RUN", "tiny")
    monkeypatch.setenv("QDRANT_API_KEY", SECRET)
    paths.NOTEBOOKS.mkdir()
    for name, title in TITLES.items():
        given = new_code_cell('corpus = "sample"', metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=[new_markdown_cell(f"# {title}"), given], metadata=kernel), planned(name))
    wanted = {"profile": "tiny", "notebook": "01_first", "metric": "ndcg@10", "tolerance": 0.01}
    plan = {
        "profiles": {"tiny": {"notebooks": dict.fromkeys(TITLES)}, "other": {"notebooks": {"01_first": {}}}},
        "expected": [
            {**wanted, "value": 0.5, "where": {"model": "a"}}, {**wanted, "value": 0.9, "where": {"model": "b"}},
        ],
    }  # fmt: skip
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    return tmp_path


def planned(name):
    return paths.NOTEBOOKS / f"{name}.ipynb"


def execute(name, *outputs, papermill=ENDED):
    """Leave an executed notebook where the runner would."""
    cells = [new_markdown_cell(f"# {TITLES[name]}"), new_code_cell("x", outputs=list(outputs))]
    file = paths.REPORTS / "tiny" / f"{name}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"papermill": papermill}), file)
    return file


def publish(name, **facts):
    rows = pd.DataFrame([{"model": model, "metric": "ndcg@10", "value": 0.5, **facts} for model in ("a", "b")])
    results.publish(name, rows)
    return results.published_file("tiny", name)


def everything():
    table = "<table><caption>Run tiny, 1 row</caption><tr><td>1</td></tr></table>"
    for name in TITLES:
        execute(name, new_output("display_data", data={"text/html": table}))
    publish("01_first")
    publish("02_second")


def build(project, profile="tiny", overrides=None, **options):
    return report.build(profile, overrides or {}, project / "runs.yaml", **options)


def words(file):
    return " ".join(BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser").body.get_text(" ").split())


def written(project):
    return {file.relative_to(project): file.read_bytes() for file in sorted((project / "reports").rglob("*.*"))}


def test_a_whole_run_has_an_index_pages_and_rows(project):
    everything()
    index = build(project)
    text = words(index)
    for said in ("3 of 3 notebooks", "1 of 2 values", "corpus tiny", "2026-01-02 03:04 UTC", "5 minutes"):
        assert said in text, said
    assert results.machine()["cpu"] in text
    assert "No results" not in text
    soup = BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    for link in soup.find_all("a", href=True):
        if not link["href"].startswith("#"):
            assert (index.parent / link["href"]).is_file(), link["href"]
    assert [card.get_text() for card in soup.select(".cards h3")] == list(TITLES.values())
    assert [heading.name for heading in soup.find_all(re.compile("^h[1-6]$"))][:2] == ["h1", "h2"]
    assert not soup.find(class_="banner")
    published = results.published_file("tiny", "01_first")
    assert (index.parent / "rows" / "01_first.csv").read_text() == published.read_text()


def test_all_of_a_report_is_in_one_file_to_send(project):
    everything()
    folder = build(project).parent
    with zipfile.ZipFile(folder / report.ZIP) as packed:
        names = packed.namelist()
        assert packed.read("tiny/index.html") == (folder / "index.html").read_bytes()
    pages = [f"tiny/{name}.html" for name in ("index", *TITLES)]
    assert set(names) == {*pages, "tiny/rows/01_first.csv", "tiny/rows/02_second.csv"}


def test_the_time_told_is_that_of_the_measurement(project):
    everything()
    kept.note_time("tiny", "01_first", 4000)
    kept.note_time("tiny", "01_first", 3)  # the same rows were read, not measured
    assert kept.seconds_of("tiny", "01_first") == 4000
    assert "took 70 minutes" in words(build(project))
    publish("01_first", note="measured anew")
    kept.note_time("tiny", "01_first", 3)
    assert kept.seconds_of("tiny", "01_first") == 3
    assert kept.seconds_of("tiny", "03_never") is None


def test_a_clock_that_was_put_back_takes_no_time_away(project):
    everything()
    execute("02_second", papermill={**ENDED, "duration": -3500})
    assert "took 3 minutes" in words(build(project))


def test_a_table_of_the_last_notebook_names_the_rows_of_the_others(project):
    everything()
    build(project)
    first, last = (words(project / "reports" / "tiny" / f"{name}.html") for name in ("01_first", VERDICT))
    assert "Rows of 01_first (2), run tiny" in first
    assert "Rows of 01_first (2), 02_second (2), run tiny" in last


@pytest.mark.parametrize("name", ["index", *TITLES])
def test_every_file_is_valid_html_fetches_nothing_and_is_small(project, name):
    everything()
    html = (build(project).parent / f"{name}.html").read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(html)
    assert not re.search(r"""(src|srcset)=["']?(?!data:)|<link|url\(|@import|https?://""", html)
    assert len(html) < 3_000_000


def test_without_results_the_index_says_how_to_get_them_and_what_else_there_is(project, monkeypatch):
    monkeypatch.setenv("WORKBOOK_RUN", "other")
    publish("01_first")
    index = build(project)
    text = words(index)
    assert "There are no results of this run yet: make run-notebooks PROFILE=tiny makes them" in text
    assert "Runs with results: other" in text
    assert "01_first has no rows" not in text, "the same said twice"
    html5lib.HTMLParser(strict=True).parse(index.read_text(encoding="utf-8"))
    assert [file.name for file in index.parent.iterdir()] == ["index.html"]


def test_the_command_names_what_was_given(project):
    text = words(build(project, overrides={"corpus": "sample", "static_model": "tiny-static"}))
    assert "make run-notebooks PROFILE=tiny CORPUS=sample MODEL=tiny-static" in text
    assert (project / "reports" / "tiny+sample+tiny-static" / "index.html").is_file()


def failed(name):
    raised = new_output("error", ename="ValueError", evalue="planted <b> failure\nmore", traceback=["at line 3"])
    return execute(name, raised, papermill={**ENDED, "exception": True})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (failed, "failed: ValueError: planted <b> failure."),
        (lambda name: execute(name, papermill={**ENDED, "end_time": None}), "did not run to its end."),
        (lambda name: execute(name, papermill={**ENDED, "exception": True}), "did not run to its end."),
        (lambda name: execute(name).write_text('{"cells": ['), "cannot be read"),
        (lambda name: execute(name).write_text("[1, 2]"), "cannot be read"),
    ],
)
def test_how_a_notebook_ended_is_said_on_the_index_and_on_its_page(project, spoil, said):
    everything()
    spoil("02_second")
    index = build(project)
    assert f"02_second {said}" in words(index)
    assert "2 of 3 notebooks" in words(index)
    page = index.parent / "02_second.html"
    assert f"This notebook {said}" in words(page)
    html5lib.HTMLParser(strict=True).parse(page.read_text(encoding="utf-8"))
    assert "This notebook" not in words(index.parent / "01_first.html")


def test_a_notebook_that_is_not_run_leaves_no_page_of_an_earlier_report(project):
    everything()
    index = build(project)
    running = outcomes.running_file(index.parent.name, "02_second")
    running.parent.mkdir(parents=True)
    (index.parent / "02_second.ipynb").rename(running)
    results.published_file("tiny", "02_second").unlink()
    text = words(build(project))
    assert "02_second is running, or was interrupted." in text
    assert not (index.parent / "02_second.html").exists()
    assert not (index.parent / "rows" / "02_second.csv").exists()


def told(**facts):
    """Write other facts beside a file of rows."""

    def spoil(file):
        beside = file.with_suffix(".machine.json")
        beside.write_text(json.dumps({**json.loads(beside.read_text()), **facts}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (told(schema=0), "cannot be used"), (told(cpu="another"), "another machine than the rest"),
        (lambda file: file.write_text("a,b\n1,2\n"), "cannot be used"), (lambda file: file.unlink(), "has no rows"),
        (lambda file: file.write_bytes(b"\xff\x00"), "cannot be used"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_said_on_the_index_and_on_the_page(project, spoil, said):
    everything()
    spoil(results.published_file("tiny", "01_first"))
    index = build(project)
    assert said in words(index)
    assert said in words(index.parent / "01_first.html")
    assert said not in words(index.parent / "02_second.html")


def test_expected_values_of_rows_that_are_gone_are_no_row(project):
    everything()
    results.published_file("tiny", "01_first").unlink()
    assert words(build(project)).count("no row ") == 2


def test_nothing_of_this_machine_is_in_any_file(project):
    everything()
    planted = f"at {paths.DATA}/x, {project}, /home/ann/y, with {SECRET}"
    execute("01_first", new_output("stream", text=planted), new_output("display_data", data={"text/html": planted}))
    publish("01_first", note=planted)
    build(project)
    for file, content in written(project).items():
        if file.suffix != ".ipynb":
            for leak in (SECRET, str(paths.DATA), "/home/ann", str(paths.ROOT)):
                assert leak.encode() not in content, (file, leak)
    assert "at ./data/x" in words(project / "reports" / "tiny" / "01_first.html")


def test_the_same_results_give_the_same_bytes(project):
    everything()
    build(project)
    before = written(project)
    build(project)
    assert written(project) == before


def test_interrupted_it_leaves_nothing_half_written(project, monkeypatch):
    everything()
    build(project)
    before = written(project)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    monkeypatch.setattr(type(project), "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(project)
    assert written(project) == before


def test_the_command_says_where_the_index_is(project, monkeypatch, capsys):
    monkeypatch.setattr(report.build, "__defaults__", (project / "runs.yaml",))
    assert __main__.main(["report", "--profile", "tiny"]) == 0
    assert capsys.readouterr().out.strip().endswith("index.html")
    assert __main__.main(["report", "--profile", "nightly"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown profile")


def test_the_last_notebook_reads_what_the_others_published(project):
    assert run_rows.needed() == ["01_first", "02_second"]


def test_the_index_answers_from_the_rows(data, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    published_run.publish(monkeypatch, run="smoke", without=("06_your_data",))
    index = report.build("smoke", {})
    text = words(index)
    assert "On made, trained static + BM25 beats slow and indexes 100 times faster" in text
    assert "What to do Start with trained static + BM25" in text and "def search(text, limit=10):" in text
    assert "How much faster does it encode? fast encodes 40 [36, 44] times as fast" in text
    assert "n = 3, rows of 02_encoding_speed , key 5eed" in text
    assert "Which setting, for this corpus? Not measured: run notebook 06." in text
    soup = BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    assert all((index.parent / link["href"]).is_file() for link in soup.select(".answers a"))


def test_without_rows_the_index_answers_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    assert "The answer" not in words(report.build("smoke", {}))


HARM = '<script>harm()</script><img src="x" onerror="harm()"><a href="javascript:harm()">[a](javascript:harm())</a>'
NAME = '<img src="x" onerror="harm()">'  # of a folder, which has no slash
OUTPUTS = [
    *(
        new_output("display_data", data={kind: HARM})
        for kind in ("text/html", "text/markdown", "text/plain", "text/latex", "application/javascript")
    ),
    new_output("display_data", data={"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{HARM}</svg>"}),
    new_output("stream", name="stdout", text=HARM),
    new_output("error", ename=HARM, evalue=HARM, traceback=[HARM]),
]


@pytest.mark.parametrize("outputs", [OUTPUTS, OUTPUTS[:-1]], ids=["failed", "ended well"])
def test_nothing_that_a_corpus_model_or_notebook_says_runs_in_the_report(project, outputs):
    execute("01_first", *outputs, papermill={**ENDED, "parameters": {"corpus": NAME}})
    publish("01_first", corpus=HARM, method=HARM)
    build(project)
    pages = list((project / "reports").rglob("*.html"))
    assert len(pages) == 2
    for page in pages:
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert "harm()" in soup.body.text, "it is not told at all"
        assert not [script for script in soup.find_all("script") if "harm" in script.text]
        for tag in soup.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on")], tag
            assert not str(tag.get("href", "")).startswith("javascript"), tag
