"""The smoke profile, run once for all the tests that look at what it leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from workbook import paths
from workbook.runs import runner


@contextmanager
def folders(folder: Path) -> Iterator[None]:
    """The workbook's data, figures and reports are in `folder`, for this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "FIGURES", "REPORTS"):
            patch.setattr(paths, name, folder / name.lower())
            patch.setenv(f"WORKBOOK_{name}", str(folder / name.lower()))
        yield


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory) -> tuple[int, Path]:
    """The run's exit code, and the folder that it had for itself."""
    folder = tmp_path_factory.mktemp("smoke")
    with folders(folder):
        return runner.run("smoke", {}, []), folder


@pytest.fixture(scope="module")
def smoke(smoke_run) -> Iterator[tuple[int, Path]]:
    """The same, the workbook's folders being there."""
    with folders(smoke_run[1]):
        yield smoke_run
