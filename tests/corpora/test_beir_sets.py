"""BEIR sets: where one is looked for, and how a download ends, well or badly."""

import errno
import functools
import hashlib
import http.server
import io
import os
import shutil
import socket
import stat
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

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
    data, beir_folder, served, monkeypatch, spoil, complaint, tmp_path
):
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
