"""BEIR sets: where one is looked for, and how a download ends, well or badly."""

import errno
import functools
import hashlib
import http.server
import io
import shutil
import socket
import threading
import zipfile
from dataclasses import replace

import pytest
from workbook.corpora import beir_sets, corpora
from workbook.errors import WorkbookError


def register(monkeypatch, md5="0" * 32, **facts):
    """Make `tiny` a BEIR set."""
    monkeypatch.setitem(beir_sets.BEIR, "tiny", beir_sets.Beir(md5, **facts))


def test_beir_data_dir_wins_over_downloads(data, beir_folder, monkeypatch):
    register(monkeypatch)
    downloaded = shutil.copytree(beir_folder, data / "beir" / "tiny") / "corpus.jsonl"
    downloaded.write_text(downloaded.read_text() + '{"_id": "d4", "text": "more"}\n')
    assert len(corpora.load("tiny").documents) == 4
    monkeypatch.setenv("BEIR_DATA_DIR", str(beir_folder.parent))
    assert len(corpora.load("tiny").documents) == 3


@pytest.mark.parametrize(("documents", "queries"), [(4, 2), (3, 1)])
def test_a_set_of_another_size_than_beirs_is_refused(beir_folder, monkeypatch, documents, queries):
    monkeypatch.setenv("BEIR_DATA_DIR", str(beir_folder.parent))
    register(monkeypatch, documents=documents, queries=queries)
    with pytest.raises(
        WorkbookError, match=f"3 documents and 2 test queries, but BEIR's has {documents} and {queries}"
    ):
        corpora.load("tiny")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Where to put tiny.zip for a local server, which BEIR_URL now points to."""
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(beir_sets, "BEIR_URL", f"http://127.0.0.1:{server.server_port}/{{name}}.zip")
        yield tmp_path / "served" / "tiny.zip"
        server.shutdown()


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def zipped(folder):
    """Bytes of a zip with the folder in it, as BEIR's are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return stream.getvalue()


def test_download_leaves_the_folder_and_nothing_else(data, beir_folder, served, monkeypatch):
    served.write_bytes(zipped(beir_folder))
    register(monkeypatch, hashlib.md5(served.read_bytes()).hexdigest())
    assert replace(corpora.load(str(beir_folder)), name="tiny") == corpora.load("tiny")
    assert [path.name for path in (data / "beir").iterdir()] == ["tiny"]
    served.unlink()
    assert len(corpora.load("tiny").documents) == 3, "the second time it is found, not fetched"


@pytest.mark.parametrize(
    ("spoil", "md5", "complaint"),
    [
        (lambda archive: archive, "0" * 32, "another md5"),
        (lambda archive: archive[: len(archive) // 2], None, "is not BEIR's zip"),
        (lambda archive: archive.replace(b"tiny/", b"toys/"), None, "is not BEIR's zip"),
        (lambda archive: archive.replace(b"corpus.", b"corpse."), None, "is not BEIR's zip of tiny .it has no corpus"),
    ],
    ids=["wrong md5", "corrupt zip", "another folder inside", "no corpus inside"],
)
def test_a_bad_download_leaves_nothing(data, beir_folder, served, monkeypatch, spoil, md5, complaint):
    served.write_bytes(spoil(zipped(beir_folder)))
    register(monkeypatch, md5 or hashlib.md5(served.read_bytes()).hexdigest())
    with pytest.raises(WorkbookError, match=complaint):
        corpora.load("tiny")
    assert list((data / "beir").iterdir()) == []


def test_a_zip_that_the_disk_has_no_room_for_is_kept(data, beir_folder, monkeypatch):
    archive = data / "tiny.zip"
    data.mkdir()
    archive.write_bytes(zipped(beir_folder))
    with monkeypatch.context() as patch, pytest.raises(WorkbookError, match="No space left on device; make room"):
        patch.setattr(zipfile.ZipFile, "extractall", full)
        beir_sets.unpack(archive, "tiny")
    assert list(data.iterdir()) == [archive]
    beir_sets.unpack(archive, "tiny")
    assert beir_sets.is_beir_folder(data / "tiny")


def test_an_unreachable_server_asks_for_the_folder(data, monkeypatch):
    register(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"  # where nobody listens, once this is closed
    monkeypatch.setattr(beir_sets, "BEIR_URL", f"{address}/{{name}}.zip")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(WorkbookError, match=r"cannot reach http://127.*BEIR_DATA_DIR"):
        corpora.load("tiny")
    assert list((data / "beir").iterdir()) == []


def test_a_folder_without_a_corpus_says_to_delete_it(data, monkeypatch):
    register(monkeypatch)
    (data / "beir" / "tiny").mkdir(parents=True)
    with pytest.raises(WorkbookError, match=r"has no corpus\.jsonl; delete the folder"):
        corpora.load("tiny")


def test_a_full_disk_is_not_taken_for_an_unreachable_server(data, monkeypatch):
    register(monkeypatch)
    monkeypatch.setattr("pooch.retrieve", full)
    with pytest.raises(WorkbookError, match=r"cannot write .*make room"):
        corpora.load("tiny")
