"""Whole runs interrupted, killed, met by another or out of disk: one line, nothing broken, and the next ends well."""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import pytest
from workbook import paths
from workbook.evaluation import results

NOTEBOOK = "03_matryoshka_dimensions"
pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path):
    """The environment of a run in a folder of its own."""
    folders = {f"WORKBOOK_{name}": str(tmp_path / name.lower()) for name in ("DATA", "FIGURES", "REPORTS")}
    return {**os.environ, **folders, "PYTHONPATH": str(paths.NOTEBOOKS), "TMPDIR": str(tmp_path)}


@contextmanager
def running(environment, before=lambda: None):
    """A run of one notebook of the smoke profile, in a process group of its own, `before` being done in it first."""
    command = [sys.executable, "-m", "workbook", "run", "--profile", "smoke", "--notebook", NOTEBOOK]

    def begin():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has none to give
        before()

    with subprocess.Popen(
        command, env=environment, stdout=-1, stderr=-1, text=True, start_new_session=True, preexec_fn=begin
    ) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)


def kernels(started):
    """The kernels that a run has started."""
    children = psutil.Process(started.pid).children(recursive=True)
    return [child for child in children if any("ipykernel" in part for part in child.cmdline())]


def until_a_kernel(started):
    """Wait until the run has a kernel at work."""
    for line in started.stdout:
        if line.startswith("[1/1]"):
            break
    while not (found := kernels(started)):
        time.sleep(0.05)
    return found


def rows(environment):
    [file] = (Path(environment["WORKBOOK_DATA"]) / "results" / "runs").rglob("*.csv")
    return results.read_rows(file)


def ended_well(started, environment):
    out, err = started.communicate(timeout=600)
    assert (started.returncode, "FAIL" in out) == (0, False), out + err
    return err


def test_ctrl_c_is_one_line_and_the_next_run_goes_on(environment):
    with running(environment) as first:
        [kernel, *_] = until_a_kernel(first)
        os.killpg(first.pid, signal.SIGINT)
        _, err = first.communicate(timeout=60)
    assert first.returncode == 1
    assert err.strip() == "interrupted: what was finished is kept, the same command goes on from there"
    kernel.wait(30)
    with running(environment) as second:
        ended_well(second, environment)


def test_of_two_runs_the_second_waits_and_goes_on_when_the_first_is_killed(environment, smoke_run):
    with running(environment) as first:
        [kernel, *_] = until_a_kernel(first)
        with running(environment) as second:
            assert second.stderr.readline() == "waiting: another process is at work on data\n"
            first.kill()
            assert ended_well(second, environment) == ""
        kernel.wait(60)
    published = rows(environment)
    whole = results.read_rows(smoke_run[1] / "data" / "results" / "runs" / "smoke" / f"{NOTEBOOK}.csv")
    scores = published["metric"].str.contains("ndcg")
    assert scores.any()
    pd.testing.assert_frame_equal(published[scores], whole[scores])


@pytest.mark.parametrize("room", [100_000, 1_000_000], ids=["for no model", "for no index"])
def test_a_file_that_cannot_be_written_is_one_line_and_with_room_it_goes_on(environment, room):
    """A limit on the size of files, which a full disk is for those who are no root."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    with running(environment, before=limit) as first:
        out, err = first.communicate(timeout=600)
    [told] = [line for line in (out + err).splitlines() if "cannot write" in line]
    assert first.returncode == 1 and "Traceback" not in out + err
    assert told.startswith(("error: cannot write", "      FAILED: cannot write"))
    assert "File too large; make room or " in told
    with running(environment) as second:
        ended_well(second, environment)
