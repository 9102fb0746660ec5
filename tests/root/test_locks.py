"""Processes in each other's way wait, and what a killed one leaves is removed by the next, but nothing else."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from workbook import locks, paths

HOLD = "with locks.alone(paths.DATA / 'models' / 'thing'): print('held', flush=True); sys.stdin.read()"
SCRATCH = "scratch = locks.Scratch(paths.DATA); print(scratch.path, flush=True); sys.stdin.read()"


@contextmanager
def process(code):
    """A Python process that runs `code` and waits for the end of its input; gives it and the first line it printed."""
    environment = {**os.environ, "WORKBOOK_DATA": str(paths.DATA), "PYTHONPATH": str(paths.NOTEBOOKS)}
    command = [sys.executable, "-c", f"import sys; from workbook import locks, paths\n{code}"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True, env=environment) as started:
        yield started, started.stdout.readline().strip()
        started.kill()


def test_the_second_waits_says_so_and_goes_on(data):
    with process(HOLD) as (first, said), process(f"print('begun', flush=True)\n{HOLD}") as (second, _):
        assert said == "held"
        assert second.stderr.readline() == "waiting: another process is at work on thing\n"
        first.stdin.close()
        assert second.stdout.readline() == "held\n"


def test_a_killed_process_holds_nothing(data):
    with process(HOLD) as (first, _):
        first.send_signal(signal.SIGKILL)
        first.wait()
        with locks.alone(data / "models" / "thing"):
            pass


def test_other_targets_do_not_wait(data, capsys):
    with locks.alone(data / "models" / "a"), locks.alone(data / "vectors" / "a"), locks.alone(data / "models" / "b"):
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_gives_the_lock_back(data, error, capsys):
    with pytest.raises(error), locks.alone(data / "models" / "thing"):
        raise error
    with locks.alone(data / "models" / "thing"):
        assert capsys.readouterr().err == ""


def test_a_scratch_folder_is_alone_in_its_place_until_closed(data):
    scratch = locks.Scratch(data)
    (scratch.path / "content").write_text("x")
    assert list(data.iterdir()) == [scratch.path]
    scratch.close()
    scratch.close()
    assert list(data.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_stays(data):
    with process(SCRATCH) as (killed, left), process(SCRATCH) as (_, used):
        others = [data / "workbook-of-hand", data / "another"]
        for folder in others:
            folder.mkdir()
        locks.remove_left(data)
        assert set(map(str, data.iterdir())) == {left, used, *map(str, others)}
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert [str(folder) for folder in locks.left(data)] == [left]
        locks.remove_left(data)
        assert set(map(str, data.iterdir())) == {used, *map(str, others)}


def test_a_folder_whose_process_died_before_it_had_a_lock_is_removed(data):
    empty, filled = data / "workbook-0123456789ab", data / "workbook-0123456789ac"
    empty.mkdir(parents=True)
    filled.mkdir()
    (filled / "content").touch()
    locks.remove_left(data)
    assert list(data.iterdir()) == [filled], "what has no lock is not ours to empty"


def test_a_folder_that_is_removed_while_it_is_made_is_made_again(data, monkeypatch):
    mkdir, made = Path.mkdir, []

    def unlucky(self, *arguments, **options):
        mkdir(self, *arguments, **options)
        made.append(self)
        if len(made) == 1:
            locks.remove_left(data)
            assert not self.exists()

    data.mkdir()
    monkeypatch.setattr(Path, "mkdir", unlucky)
    scratch = locks.Scratch(data)
    assert len(made) == 2 and list(locks.left(data)) == [] and scratch.path.is_dir()
    scratch.close()


def test_what_is_given_up_is_left(data):
    scratch = locks.Scratch(data)
    assert list(locks.left(data)) == []
    scratch.leave()
    assert list(locks.left(data)) == [scratch.path]
    locks.remove_left(data)


def test_a_clock_that_is_set_back_changes_nothing(data, monkeypatch):
    """Neither does a process look older than it is, nor a folder younger."""
    scratch = locks.Scratch(data)
    os.utime(scratch.path, (0, 0))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    locks.remove_left(data)
    assert scratch.path.is_dir()
    scratch.close()
