"""Model files: only the pinned ones of a package, and the hub only at a revision."""

import dataclasses
import hashlib
from pathlib import Path

import huggingface_hub
import pytest
import sentence_transformers
from workbook import encoders, model_files
from workbook.errors import WorkbookError
from workbook.models import MODELS, Package


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test of this file may reach for the hub, nor wait until it cannot."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def test_files_of_a_package_that_are_not_the_pinned_ones_are_refused(monkeypatch):
    pinned = hashlib.sha256(Path(pytest.__file__).read_bytes()).hexdigest()
    for name, sha256 in [("right", pinned), ("wrong", pinned[::-1])]:
        package = Package("pytest", "pytest", {"__init__.py": sha256})
        monkeypatch.setitem(MODELS, name, dataclasses.replace(MODELS["all-MiniLM-L6-v2"], package=package))
    encoders.load("right")
    with pytest.raises(WorkbookError, match=r"pytest: __init__\.py is not the pinned one"):
        encoders.load("wrong")


def test_a_hub_out_of_reach_asks_for_a_folder():
    encoder = encoders.load("nobody/no-such-model@main")
    with pytest.raises(WorkbookError, match=r"cannot load nobody/no-such-model .*give its path"):
        encoder.encode(["bank"])


@pytest.mark.parametrize(
    ("name", "hub", "revision"),
    [
        ("owner/name@abc123", "owner/name", "abc123"),
        ("potion-base-8M", "minishlab/potion-base-8M", MODELS["potion-base-8M"].revision),
    ],
)
def test_the_revision_is_passed_to_the_hub(monkeypatch, name, hub, revision):
    opened = []

    def refuse(source, **options):
        opened.append((source, options["revision"], options["trust_remote_code"]))
        raise OSError

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", refuse)
    with pytest.raises(WorkbookError):
        encoders.load(name).encode(["bank"])
    assert opened == [(hub, revision, False)]


def test_a_pinned_file_that_is_gone_is_refused(monkeypatch):
    facts = dataclasses.replace(MODELS["all-MiniLM-L6-v2"], package=Package("pytest", "pytest", {"gone.json": "0"}))
    monkeypatch.setitem(MODELS, "gone", facts)
    with pytest.raises(WorkbookError, match=r"gone\.json is not the pinned one"):
        encoders.load("gone")


@pytest.mark.parametrize("name", ["potion-base-8M", "owner/name@abc123"])
def test_a_model_that_must_come_from_the_hub_is_asked_for_before_the_start(name):
    with pytest.raises(WorkbookError, match=r"cannot load .*copy the model's folder"):
        encoders.check_reachable(name)


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "static-distilled", "tiny-static"])
def test_a_model_that_is_here_needs_no_hub(name):
    encoders.check_reachable(name)


def test_a_hub_id_without_its_revision_is_refused():
    with pytest.raises(WorkbookError, match="owner/name@revision"):
        encoders.check("owner/name")


def test_a_folder_is_found_by_its_path_or_by_its_name_in_data_models(data, tmp_path):
    kept, elsewhere = data / "models" / "mine", tmp_path / "elsewhere"
    for folder in (kept, elsewhere):
        folder.mkdir(parents=True)
        (folder / "modules.json").write_text("[]")
    assert model_files.folder_named("mine") == kept
    assert model_files.folder_named(str(elsewhere)) == elsewhere
    assert model_files.folder_named("elsewhere") is None


def test_a_file_or_nothing_at_all_is_no_folder(data):
    (data / "models").mkdir(parents=True)
    (data / "models" / "file").write_text("not a model")
    (data / "models" / "half.training").mkdir()
    for name in ("file", "nothing", "half.training", "", ".."):
        assert model_files.folder_named(name) is None, name


def test_the_card_tells_the_dimensions_a_model_was_trained_for(tmp_path):
    (tmp_path / model_files.CARD).write_text('{"settings": {"dimensions": [32, 16], "epochs": 5}}')
    assert model_files.trained_dimensions(tmp_path) == (32, 16)


@pytest.mark.parametrize(
    "card",
    [
        None,
        "",
        '{"settings": {"dim',
        "[1, 2]",
        '{"settings": {}}',
        '{"settings": {"dimensions": 32}}',
        '{"settings": null}',
    ],
)
def test_a_model_without_a_card_that_can_be_read_has_no_such_dimensions(tmp_path, card):
    if card is not None:
        (tmp_path / model_files.CARD).write_text(card)
    assert model_files.trained_dimensions(tmp_path) == ()


def test_what_a_card_tells_of_a_model_is_not_in_its_revision(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    bare = model_files.folder_sha256(tmp_path)
    (tmp_path / model_files.CARD).write_text('{"seconds": 47.1}', encoding="utf-8")
    (tmp_path / "README.md").write_text("| seconds | 47.1 |", encoding="utf-8")
    assert model_files.folder_sha256(tmp_path) == bare
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert model_files.folder_sha256(tmp_path) != bare
