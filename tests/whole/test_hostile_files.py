"""Files made to do harm: nothing they bring is run, nothing outside their folder is read or written, no disk is filled.

What is planted would leave a file behind, `MARK`, wherever it is run.
"""

import hashlib
import io
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import test_report
import test_trainer
import torch
from bs4 import BeautifulSoup
from nbformat.v4 import new_output
from test_beir_sets import register, served, zipped  # noqa: F401 (a fixture)
from test_report import project  # noqa: F401 (a fixture)
from workbook.corpora import beir_sets, corpora, own_data
from workbook.corpora.own_data import Source
from workbook.embedding import encoders, model_files, vectors
from workbook.errors import WorkbookError
from workbook.runs import plan
from workbook.training import trainer

MARK = "planted"
pytestmark = pytest.mark.usefixtures("data")


class Planted:
    """A pickle that makes MARK when it is read without care."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self._mark),)


@pytest.fixture
def mark(tmp_path):
    """Where the planted code would leave its mark."""
    yield tmp_path / MARK
    assert not (tmp_path / MARK).exists(), "planted code was run"


def test_the_planted_pickle_does_its_harm_where_it_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Planted(tmp_path / MARK)], dtype=object), allow_pickle=True)
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / MARK).exists()


def entry(name, content=b"x", mode=stat.S_IFREG | 0o644):
    """What to put into a zip: an entry of this name, content and mode."""
    facts = zipfile.ZipInfo(name)
    facts.external_attr = mode << 16
    facts.compress_type = zipfile.ZIP_DEFLATED
    return facts, content


def with_entries(*entries):
    """Spoils BEIR's zip by adding entries."""

    def spoil(archive):
        stream = io.BytesIO(archive)
        with zipfile.ZipFile(stream, "a") as zipped:
            for facts, content in entries:
                zipped.writestr(facts, content)
        return stream.getvalue()

    return spoil


def declared(size):
    """Spoils BEIR's zip by a directory that says so many bytes of its first file."""

    def spoil(archive):
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            start = zipped.start_dir
        return archive[: start + 24] + size.to_bytes(4, "little") + archive[start + 28 :]

    return spoil


def overlapping(archive):
    """Spoils BEIR's zip: hundreds of entries whose bytes are those of one file."""
    stream = io.BytesIO(archive)
    with zipfile.ZipFile(stream, "a") as zipped:
        zipped.writestr(*entry("tiny/once", os.urandom(10_000)))
        one = zipped.getinfo("tiny/once")
        for number in range(100):
            other = zipfile.ZipInfo(f"tiny/{number}")
            for fact in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(other, fact, getattr(one, fact))
            zipped.filelist.append(other)
    return stream.getvalue()


ZIPS = {
    "a name that climbs": (with_entries(entry("tiny/../../../outside")), "leads out of the folder"),
    "a name that climbs in Windows": (with_entries(entry("tiny\\..\\..\\outside")), "leads out of the folder"),
    "an absolute name": (with_entries(entry("/tmp/outside")), "leads out of the folder"),
    "a name with a drive": (with_entries(entry("C:/outside")), "leads out of the folder"),
    "a link": (with_entries(entry("tiny/link", b"/etc/passwd", stat.S_IFLNK | 0o777)), "is a link or a device"),
    "a folder that is a link": (
        with_entries(entry("tiny/out", b"/tmp", stat.S_IFLNK | 0o777), entry("tiny/out/outside")),
        "is a link or a device",
    ),
    "a device": (with_entries(entry("tiny/zero", b"", stat.S_IFCHR | 0o666)), "is a link or a device"),
    "a pipe": (with_entries(entry("tiny/pipe", b"", stat.S_IFIFO | 0o666)), "is a link or a device"),
    "200 MB of nothing": (with_entries(entry("tiny/bomb", bytes(200 * 10**6))), "unpacked it would be 200 MB"),
    "4 GB declared": (declared(2**32 - 2), "unpacked it would be 4,295 MB"),
    "less declared than there is": (declared(1), "is not BEIR's zip"),
    "entries that overlap": (overlapping, "too many, or overlap"),
    "thousands of entries": (with_entries(*(entry(f"tiny/{n}", b"") for n in range(2_000))), "too many, or overlap"),
}


@pytest.mark.parametrize(("spoil", "complaint"), ZIPS.values(), ids=ZIPS)
def test_a_zip_made_to_do_harm_is_refused_and_nothing_of_it_is_left(
    data, beir_folder, served, monkeypatch, spoil, complaint, tmp_path  # noqa: F811
):  # fmt: skip
    served.write_bytes(spoil(zipped(beir_folder)))
    register(monkeypatch, hashlib.md5(served.read_bytes()).hexdigest())
    with pytest.raises(WorkbookError, match=complaint) as raised:
        corpora.load("tiny")
    assert "tiny.zip is not BEIR's zip of tiny" in str(raised.value)
    assert list((data / "beir").iterdir()) == []
    assert not list(tmp_path.rglob("*outside*"))
    assert not Path("/tmp/outside").exists()


def test_a_zip_of_a_real_sets_size_is_unpacked():
    """HotpotQA's corpus, of 5.2 million documents, is about 2 GB: three times smaller as a zip."""
    entries = []
    for name, size in {"corpus.jsonl": 3 * 10**9, "queries.jsonl": 2 * 10**7, "qrels/test.tsv": 10**6}.items():
        entries.append(zipfile.ZipInfo(f"hotpotqa/{name}"))
        entries[-1].file_size, entries[-1].compress_size = size, size // 3
    zipped = SimpleNamespace(infolist=lambda: entries)
    names = beir_sets._members(zipped, "hotpotqa", 1_010_000_000)
    assert names == ["hotpotqa/corpus.jsonl", "hotpotqa/queries.jsonl", "hotpotqa/qrels/test.tsv"]


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize("read", [corpora.load, lambda name: own_data.load(Source(name))], ids=["corpora", "own_data"])
def test_a_file_of_a_corpus_that_is_a_link_out_of_it_is_not_read(beir_folder, tmp_path, file, read):
    shutil.move(beir_folder / file, tmp_path / "secret")
    (beir_folder / file).symlink_to(tmp_path / "secret")
    with pytest.raises(WorkbookError, match=r"leads out of its folder, to .*secret: put the file itself there"):
        read(str(beir_folder))


def test_a_folder_of_qrels_elsewhere_is_not_read(beir_folder, tmp_path):
    shutil.move(beir_folder / "qrels", tmp_path / "secret")
    (beir_folder / "qrels").symlink_to(tmp_path / "secret")
    with pytest.raises(WorkbookError, match="leads out of its folder"):
        corpora.load(str(beir_folder))


def as_in_the_hubs_cache(folder, files):
    """The folder as huggingface_hub keeps it: files are links from snapshots/ to blobs/."""
    snapshot, blobs = folder / "snapshots" / "0f3a", folder / "blobs"
    blobs.mkdir(parents=True)
    for number, file in enumerate(path for path in files.rglob("*") if path.is_file()):
        target = snapshot / file.relative_to(files)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(number))
        target.symlink_to(os.path.relpath(blobs / str(number), target.parent))
    return snapshot


def test_a_corpus_may_be_a_link_itself_or_lie_in_the_hubs_cache(beir_folder, tmp_path):
    (tmp_path / "linked").symlink_to(beir_folder)
    cached = as_in_the_hubs_cache(tmp_path / "cache", beir_folder)
    for folder in (tmp_path / "linked", cached):
        assert corpora.load(str(folder)).documents == corpora.load(str(beir_folder)).documents


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model as Sentence Transformers saves it, to be spoilt in a copy."""
    folder = tmp_path_factory.mktemp("saved")
    test_trainer.new_model().save(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def model(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def modules(kind):
    return json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}])


def plant(folder, mark):
    (folder / "modeling.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Planted:\n    pass\n")


def open_and_encode(folder):
    return encoders.load(str(folder)).encode(["w1 w2"])


def test_a_model_that_is_itself_a_link_or_lies_in_the_hubs_cache_is_opened(model, tmp_path):
    expected = open_and_encode(model)
    (tmp_path / "linked").symlink_to(model)
    for folder in (tmp_path / "linked", as_in_the_hubs_cache(tmp_path / "cache", model)):
        np.testing.assert_array_equal(open_and_encode(folder), expected)


@pytest.mark.parametrize("beside", [None, "1_Dense"])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_a_model_of_pickled_weights_is_refused(model, mark, name, beside):
    folder = model if beside is None else model / beside
    folder.mkdir(exist_ok=True)
    (model / "model.safetensors").unlink()
    torch.save(Planted(mark), folder / name)
    with pytest.raises(WorkbookError, match=f"{name} is a pickle.*save the model as safetensors"):
        open_and_encode(model)


def test_a_pickle_beside_safetensors_is_not_read(model, mark):
    torch.save(Planted(mark), model / "pytorch_model.bin")
    assert open_and_encode(model).shape == (1, test_trainer.new_model().get_embedding_dimension())


@pytest.mark.parametrize(
    "kind",
    [
        "os.system", "subprocess.Popen", "modeling.Planted", "nosuch.Thing", "sentence_transformers.base.model.pickle",
        "sentence_transformers", "sentence_transformersx.Thing", "Planted", 5, None,
    ],
)  # fmt: skip
def test_a_module_that_is_not_of_sentence_transformers_is_never_imported(model, mark, monkeypatch, kind):
    plant(model, mark)
    monkeypatch.syspath_prepend(model)
    monkeypatch.chdir(model)
    (model / "modules.json").write_text(modules(kind))
    with pytest.raises(WorkbookError, match=r"modules\.json: module .* is not of Sentence Transformers"):
        open_and_encode(model)


@pytest.mark.parametrize(
    ("kind", "file", "config"),
    [
        ("Transformer", "config.json", {"model_type": "new", "auto_map": {"AutoConfig": "modeling.Planted"}}),
        ("WordEmbeddings", "wordembedding_config.json", {"tokenizer_class": "modeling.Planted"}),
        ("WordEmbeddings", "wordembedding_config.json", {"tokenizer_class": "os.system"}),
        ("Router", "router_config.json", {"types": {"a": "modeling.Planted"}, "structure": {"a": ["a"]}}),
    ],
)
def test_code_that_a_models_config_names_is_never_run(model, mark, monkeypatch, kind, file, config):
    plant(model, mark)
    monkeypatch.syspath_prepend(model)
    (model / "modules.json").write_text(modules(f"sentence_transformers.models.{kind}"))
    (model / file).write_text(json.dumps(config))
    with pytest.raises(WorkbookError, match=r"cannot be opened as a model|is not of Sentence Transformers"):
        open_and_encode(model)


@pytest.mark.parametrize(
    "config", [None, "", "[]", '{"types": []}', '{"types": {".": "sentence_transformers.x.Router"}}']
)
def test_a_router_that_leads_nowhere_or_to_itself_is_refused(model, config):
    (model / "modules.json").write_text(modules("sentence_transformers.models.Router"))
    (model / "router_config.json").unlink(missing_ok=True)
    if config is not None:
        (model / "router_config.json").write_text(config)
    with pytest.raises(WorkbookError, match=r"modules\.json does not list modules"):
        open_and_encode(model)


def test_a_known_kind_of_model_is_opened_by_the_librarys_own_code(tmp_path, mark):
    encoders.load("tiny-transformer").model.save(str(tmp_path / "model"), create_model_card=False)
    plant(tmp_path / "model", mark)
    config = tmp_path / "model" / "config.json"
    named = {"AutoConfig": "modeling.Planted", "AutoModel": "modeling.Planted"}
    config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": named}))
    opened = encoders.load(str(tmp_path / "model")).model
    assert type(opened[0].auto_model).__module__.startswith("transformers.models.")


def test_code_of_the_hub_is_never_trusted(model, mark, monkeypatch):
    """The hub's own path through the same files: open_hub of a folder, as if it had been downloaded."""
    plant(model, mark)
    monkeypatch.syspath_prepend(model)
    (model / "modules.json").write_text(modules("modeling.Planted"))
    with pytest.raises(WorkbookError, match="cannot load"):
        model_files.open_hub(str(model), "main")
    (model / "modules.json").write_text(modules("sentence_transformers.models.Dense"))
    (model / "config.json").write_text('{"in_features": 8, "out_features": 8}')
    (model / "model.safetensors").unlink()
    torch.save(Planted(mark), model / "pytorch_model.bin")
    with pytest.raises(WorkbookError, match="cannot load"):
        model_files.open_hub(str(model), "main")


@pytest.mark.parametrize("target", ["/etc/passwd", "/dev/zero", "../secret"])
def test_a_file_of_a_model_that_is_a_link_out_of_it_is_not_read(model, tmp_path, target):
    (tmp_path / "secret").write_text("secret")
    (model / "tokenizer.json").unlink()
    (model / "tokenizer.json").symlink_to(target)
    with pytest.raises(WorkbookError, match=r"tokenizer\.json leads out of its folder"):
        open_and_encode(model)


def test_a_module_elsewhere_is_not_read(model):
    (model / "modules.json").write_text(modules("sentence_transformers.models.StaticEmbedding").replace('""', '"../x"'))
    with pytest.raises(WorkbookError, match="leads out of its folder"):
        open_and_encode(model)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A training that was interrupted after two epochs."""
    work = tmp_path_factory.mktemp("begun")
    with pytest.raises(KeyboardInterrupt):
        test_trainer.fit(test_trainer.Scores(0.5, 0.6, 0.7, interrupted_at=2), work, epochs=3)
    return work


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "pytorch_model.bin"])
def test_a_pickle_planted_in_a_checkpoint_is_refused(begun, tmp_path, mark, name):
    work = shutil.copytree(begun, tmp_path / "work")
    checkpoint = trainer._last_whole(work)
    if name == "pytorch_model.bin":
        (checkpoint / "model.safetensors").unlink()
    torch.save(Planted(mark), checkpoint / name)
    with pytest.raises(WorkbookError, match=r"checkpoint-\d+ holds a pickle that no training wrote: remove .*work"):
        test_trainer.fit(test_trainer.Scores(0.5, 0.7, 0.8), work, epochs=3)


def test_the_arguments_in_a_checkpoint_are_not_read(begun, tmp_path, mark):
    work = shutil.copytree(begun, tmp_path / "work")
    torch.save(Planted(mark), trainer._last_whole(work) / "training_args.bin")
    assert len(test_trainer.fit(test_trainer.Scores(0.5, 0.7, 0.8), work, epochs=3)[1]) == 4


def test_cached_vectors_that_hold_a_pickle_are_never_unpickled(data, mark):
    encoder = encoders.load("tiny-static")
    expected = vectors.encode(encoder, ["bank", "river"]).copy()
    file = next((data / "vectors").rglob("vectors.npy"))
    planted = np.array([Planted(mark)], dtype=object)
    np.save(file, planted, allow_pickle=True)
    np.testing.assert_array_equal(vectors.encode(encoder, ["bank", "river"]), expected)
    np.save(file, planted, allow_pickle=True)
    manifest = json.loads(file.with_name("manifest.json").read_text())
    manifest["vectors_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name("manifest.json").write_text(json.dumps(manifest))
    np.testing.assert_array_equal(vectors.encode(encoder, ["bank", "river"]), expected)


def test_a_shard_that_holds_a_pickle_is_written_again(tmp_path, mark):
    np.save(tmp_path / "0.npy", np.array([Planted(mark)], dtype=object), allow_pickle=True)
    assert vectors.read_shard(tmp_path / "0.npy", 1) is None


@pytest.mark.parametrize(
    "tagged", ["!!python/object/apply:os.mkdir [{}]", "!!python/object/new:os.mkdir [{}]", "!!python/name:os.mkdir {}"]
)
def test_a_tag_in_the_plan_makes_nothing(tmp_path, mark, tagged):
    file = tmp_path / "runs.yaml"
    file.write_text(f"profiles: {tagged.format(mark)}\n")
    with pytest.raises(WorkbookError, match=r"runs\.yaml:1 is not a plan"):
        plan.read(file)


HARM = '<script>harm()</script><img src="x" onerror="harm()"><a href="javascript:harm()">[a](javascript:harm())</a>'
NAME = '<img src="x" onerror="harm()">'  # of a folder, which has no slash
OUTPUTS = [
    *(
        new_output("display_data", data={kind: HARM})
        for kind in ("text/html", "text/markdown", "text/plain", "text/latex", "application/javascript")
    ),
    new_output("display_data", data={"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{HARM}</svg>"}),
    new_output("stream", name="stdout", text=HARM),
    new_output("error", ename=HARM, evalue=HARM, traceback=[HARM]),
]


@pytest.mark.parametrize("outputs", [OUTPUTS, OUTPUTS[:-1]], ids=["failed", "ended well"])
def test_nothing_that_a_corpus_model_or_notebook_says_runs_in_the_report(project, outputs):  # noqa: F811
    test_report.execute("01_first", *outputs, papermill={**test_report.ENDED, "parameters": {"corpus": NAME}})
    test_report.publish("01_first", corpus=HARM, method=HARM)
    test_report.build(project)
    pages = list((project / "reports").rglob("*.html"))
    assert len(pages) == 2
    for page in pages:
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert "harm()" in soup.body.text, "it is not told at all"
        assert not [script for script in soup.find_all("script") if "harm" in script.text]
        for tag in soup.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on")], tag
            assert not str(tag.get("href", "")).startswith("javascript"), tag
