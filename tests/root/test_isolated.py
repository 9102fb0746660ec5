"""A function in a process of its own: its result, its reports, its errors, its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workbook import isolated, paths
from workbook.errors import WorkbookError


def facts(first, second, report):
    report(first)
    report(second)
    return os.getpid(), str(paths.DATA), os.environ.get("WORKBOOK_TEST"), first + second


def fails(report):
    raise WorkbookError("planted: do this")


def divides(report):
    return 1 / 0


def killed(report):
    os.kill(os.getpid(), signal.SIGKILL)


def test_result_reports_and_surroundings_come_through(data, monkeypatch):
    monkeypatch.setenv("WORKBOOK_TEST", "here")
    seen = []
    process, folder, variable, total = isolated.run(facts, 2, 3, progress=seen.append)
    assert process != os.getpid()
    assert (folder, variable, total, seen) == (str(data), "here", 5, [2, 3])


@pytest.mark.parametrize(("work", "error"), [(fails, WorkbookError), (divides, ZeroDivisionError)])
def test_an_error_is_raised_here(work, error):
    with pytest.raises(error):
        isolated.run(work)


def test_a_killed_process_is_told_with_what_to_do():
    with pytest.raises(WorkbookError, match="exit code -9; if the system killed it, memory ran out"):
        isolated.run(killed)


def reports_its_process_and_waits(report):
    report(os.getpid())
    time.sleep(600)


def test_an_interrupt_ends_the_process_too():
    seen = []

    def interrupt(process):
        seen.append(process)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        isolated.run(reports_its_process_and_waits, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def cleans_up(report):
    try:
        reports_its_process_and_waits(report)
    finally:
        paths.DATA.mkdir()
        (paths.DATA / "cleaned").touch()


@pytest.mark.parametrize("gently", [True, False])
def test_what_the_process_has_elsewhere_is_cleaned_up_where_that_is_asked_for(data, gently):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        isolated.run(cleans_up, progress=interrupt, gently=gently)
    assert (data / "cleaned").exists() == gently


def reports_again_and_again(report):
    while True:
        report(os.getpid())


@pytest.mark.slow
def test_a_process_whose_parent_was_killed_ends_without_a_word():
    code = "import test_isolated as here; here.isolated.run(here.reports_again_and_again, progress=print)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(paths.NOTEBOOKS), str(Path(__file__).parent)])}
    parent = subprocess.Popen(
        [sys.executable, "-uc", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline().strip().isdecimal()
    parent.kill()
    said = parent.communicate(timeout=600)[1]  # it comes to its end when the last process that could write does
    assert said == ""
