"""Files made to do harm: nothing they bring is run, nothing outside their folder is read.

Zips are in `test_beir_sets`, checkpoints in `test_trainer`, texts in `test_report`.
"""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import torch
from planted import Planted
from workbook.corpora import corpora, own_data
from workbook.corpora.own_data import Source
from workbook.embedding import encoders, model_files, vectors
from workbook.errors import WorkbookError
from workbook.runs import plan

pytestmark = pytest.mark.usefixtures("data")


def test_the_planted_pickle_does_its_harm_where_it_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([Planted(tmp_path / "harm")], dtype=object), allow_pickle=True)
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "harm").exists()


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
    encoders.load("tiny-static").model.save(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def model(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def modules(kind):
    return json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}])


def plant(folder, mark):
    (folder / "modeling.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Planted:\n    pass\n")


def open_and_encode(folder):
    return encoders.load(str(folder)).encode(["where does water flow"])


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
    assert open_and_encode(model).shape == (1, 64)


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
