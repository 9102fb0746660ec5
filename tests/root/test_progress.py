"""The bar obeys TQDM_DISABLE, in a terminal and in a notebook."""

import subprocess
import sys

import pytest
from workbook import paths, progress


@pytest.mark.parametrize(("setting", "disabled"), [("1", True), ("", False)])
def test_a_bar_is_shown_unless_it_is_switched_off(monkeypatch, setting, disabled):
    monkeypatch.setenv("TQDM_DISABLE", setting)
    with progress.bar(total=3, desc="work") as bar:
        assert bar.disable is disabled


def test_the_notebook_bar_is_switched_off_too(monkeypatch):
    from tqdm.notebook import tqdm

    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(progress, "tqdm", tqdm)
    assert list(progress.bar([1, 2])) == [1, 2]
    assert progress.bar([1]).disable


def test_a_bar_takes_nothing_from_the_system_that_could_be_left_behind():
    code = (
        "import multiprocessing.synchronize as locks; locks.SemLock = None\n"
        "from workbook import progress; print(list(progress.bar([1, 2])))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=paths.NOTEBOOKS, capture_output=True, text=True)
    assert ended.stdout == "[1, 2]\n", ended.stderr
