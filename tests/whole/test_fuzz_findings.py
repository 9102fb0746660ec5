"""What `make fuzz` found stays put right. A finding of data/fuzz is kept by moving it to fuzz_findings/<loader>."""

from pathlib import Path

import fuzz_loaders
import pytest
from workbook import paths

FINDINGS = sorted((Path(__file__).parents[1] / "fuzz_findings").glob("*/*"))


@pytest.fixture(autouse=True)
def elsewhere(data, tmp_path, monkeypatch):
    """Reports and data where the loaders are let loose, put back after them."""
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")


@pytest.mark.parametrize("file", FINDINGS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_finding_is_read_or_refused_in_one_line_that_names_the_file(file, tmp_path):
    fuzz_loaders.given(file.parent.name.replace("-", " "), file.read_bytes(), tmp_path / "fuzzed")


@pytest.mark.parametrize("name", fuzz_loaders.LOADERS)
def test_what_fuzzing_starts_from_is_read_by_its_loader(name, tmp_path):
    (tmp_path / "fuzzed").mkdir()
    loader = fuzz_loaders.LOADERS[name]
    loader.use(loader.seeds[0], tmp_path / "fuzzed")
