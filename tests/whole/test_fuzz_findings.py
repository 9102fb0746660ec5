"""What `make fuzz` found stays put right. A finding of data/fuzz is kept by moving it to fuzz_findings/<loader>."""

from pathlib import Path

import fuzz_inputs
import fuzz_loaders
import pytest
from workbook import paths
from workbook.embedding import vectors
from workbook.evaluation import results

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


def test_the_seeds_of_records_and_manifests_are_whole(tmp_path):
    """What is none is as good as not there to the loaders, and would be fuzzed no further."""
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "key.json").write_bytes(fuzz_inputs.record())
    with results.kept_in(tmp_path):
        assert results.read("kind", "key")["values"] == {"n": 1.5}
    (tmp_path / "vectors.npy").write_bytes(fuzz_inputs.shards()[0])
    (tmp_path / "manifest.json").write_bytes(fuzz_inputs.manifests()[0])
    assert vectors._is_complete(tmp_path)
    assert FINDINGS
