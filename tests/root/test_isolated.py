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


def of(number):
    """What a worker does: a table to be multiplied, in the data folder of its parent."""
    if number < 0:
        raise WorkbookError("planted: do this")

    def work(item):
        if item == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "wait":
            time.sleep(600)
        time.sleep(0.05 * (item % 3))
        return number * item, os.getpid(), str(paths.DATA)

    return work


def test_workers_map_in_order_and_in_turn(data):
    taken = []

    def items():
        for item in range(7):
            taken.append(item)
            yield item

    with isolated.workers(2, of, 10) as mapped:
        given = []
        for product, process, folder in mapped(items()):
            given.append((product, process))
            assert folder == str(data) and len(taken) <= len(given) + 2, "no more than asked for are out"
        assert list(mapped([])) == [] and [each[0] for each in mapped([1])] == [10]
    assert [product for product, _ in given] == list(range(0, 70, 10))
    assert len({process for _, process in given}) == 2 and os.getpid() not in {process for _, process in given}
    with pytest.raises(ProcessLookupError):
        os.kill(given[0][1], 0)


def test_what_ends_a_worker_is_raised_here():
    with pytest.raises(WorkbookError, match="planted"), isolated.workers(2, of, -1):
        pass
    with isolated.workers(2, of, 1) as mapped, pytest.raises(TypeError):
        list(mapped([1, "x"]))
    with isolated.workers(2, of, 1) as mapped, pytest.raises(WorkbookError, match="exit code -9; if the system killed"):
        list(mapped([1, "kill"]))


def leaves_workers(report):
    with isolated.workers(2, of, 1) as mapped:
        for _, process, _ in mapped([1, 2, 3, 4]):
            report(process)
        os.kill(os.getpid(), signal.SIGKILL)


def test_workers_end_with_a_parent_that_is_killed():
    """They are the children of a process that runs alone, as where many documents are encoded."""
    seen = []
    with pytest.raises(WorkbookError, match="exit code -9"):
        isolated.run(leaves_workers, progress=seen.append)
    assert len(set(seen)) == 2
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{process}").exists() for process in seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [process for process in seen if Path(f"/proc/{process}").exists()]
