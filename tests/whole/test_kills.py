"""What is killed with -9 at random points and run again is as if it had never been killed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from workbook import paths

KILLS, SEED = int(os.environ.get("KILLS", "5")), 0  # of each of four works; KILLS=13 by hand, seven minutes


@pytest.mark.slow
@pytest.mark.parametrize("work", ["encoding", "training", "grid", "report"])
def test_a_work_that_was_killed_ends_as_if_it_never_was(work, smoke_run, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(paths.NOTEBOOKS), "TMPDIR": str(tmp_path)}
    command = [sys.executable, Path(__file__).parents[1] / "kills.py", str(smoke_run[1]), work, str(KILLS), str(SEED)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert int(re.fullmatch(rf"{work}: (\d+) kills survived\n", ended.stdout)[1]) >= KILLS
