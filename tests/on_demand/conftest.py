"""What the tests of attention on demand share: the sample, searched twice in both ways by tiny models."""

import pytest
from workbook import paths
from workbook.corpora import corpora, pairs
from workbook.embedding import encoders
from workbook.experiments import retrieval_methods
from workbook.names import with_bm25
from workbook.on_demand import two_searches
from workbook.training import settings, training


@pytest.fixture(scope="session")
def sample():
    return corpora.load("sample")


@pytest.fixture(scope="module")
def methods(tmp_path_factory, sample):
    """Hybrids of a static model, a table of queries and a transformer, by label, in a data folder of the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        static, transformer = encoders.load("tiny-static"), encoders.load("tiny-transformer")
        task = training.task("sample", corpora.unlabelled("sample"), static, transformer, 0)
        table = encoders.load(training.start(task, settings.ALIGNED, 0).name)
        named = {"static": static, "table": table, "transformer": transformer}
        hybrids = {each.label: each for each in retrieval_methods.with_models(sample, named)}
        yield {name: hybrids[with_bm25(name, "dbsf")] for name in named} | {"rrf": hybrids[with_bm25("table", "rrf")]}


@pytest.fixture(scope="module")
def measured(sample, methods):
    """A table of queries, then the transformer, in one index; known items of documents held out."""
    held_out = pairs.hold_out(corpora.unlabelled("sample"), 0)
    return two_searches.measure(sample, methods["table"], methods["transformer"], held_out, repeats=2)
