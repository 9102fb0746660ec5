"""A finished file or folder gets to its place whole, and nothing else is left behind."""

import errno
import os
import time

import pytest
from safetensors import SafetensorError
from workbook import paths
from workbook.errors import WorkbookError

both_kinds = pytest.mark.parametrize("kind", ["file", "folder"])


def write(temporary, kind, text="whole"):
    """Write `text` to the temporary path, as a file or in a folder of one file."""
    if kind == "folder":
        temporary.mkdir()
        temporary = temporary / "content"
    temporary.write_text(text)


def read(target, kind):
    return (target / "content" if kind == "folder" else target).read_text()


@both_kinds
def test_the_finished_thing_is_all_that_is_left(tmp_path, kind):
    target = tmp_path / "made" / "on the way" / "target"
    with paths.atomic(target) as temporary:
        write(temporary, kind)
        assert not target.exists()
    assert read(target, kind) == "whole"
    assert list(target.parent.iterdir()) == [target]


@both_kinds
@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(errno.EIO, "broken")], ids=repr)
def test_an_exception_passes_and_leaves_nothing(tmp_path, kind, error):
    with pytest.raises(type(error)), paths.atomic(tmp_path / "target") as temporary:
        write(temporary, kind)
        raise error
    assert list(tmp_path.iterdir()) == []


@both_kinds
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EPERM], ids=errno.errorcode.get
)
def test_a_disk_that_cannot_be_written_is_the_users_to_put_right(tmp_path, kind, number):
    refused = pytest.raises(WorkbookError, match=rf"target: {os.strerror(number)}; make room or take another folder")
    with refused, paths.atomic(tmp_path / "target") as temporary:
        write(temporary, kind)
        raise OSError(number, "no more")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/2"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        Exception("No space left on device (os error 28)"),  # as tokenizers has it
        Exception("Service runtime error: Not enough space available for optimization, needed: 2 MiB"),
    ],
    ids=["torch", "safetensors", "tokenizers", "engine"],
)
def test_a_full_disk_is_known_by_each_librarys_words(tmp_path, error):
    with pytest.raises(WorkbookError, match="No space left on device; make room"), paths.atomic(tmp_path / "target"):
        raise error


@pytest.mark.parametrize("error", [SafetensorError("InvalidHeader"), RuntimeError("gone (os error 2)")], ids=repr)
def test_another_error_of_a_library_passes(tmp_path, error):
    with pytest.raises(type(error)), paths.atomic(tmp_path / "target"):
        raise error


@pytest.mark.parametrize(("kind", "stays"), [("file", "second"), ("folder", "first")])
def test_of_two_writers_one_stays_whole(tmp_path, kind, stays):
    with paths.atomic(tmp_path / "target") as slow:
        write(slow, kind, "second")
        with paths.atomic(tmp_path / "target") as fast:
            write(fast, kind, "first")
    assert read(tmp_path / "target", kind) == stays
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path):
    (tmp_path / "target" / "kept").mkdir(parents=True)
    with pytest.raises(IsADirectoryError), paths.atomic(tmp_path / "target") as temporary:
        temporary.write_text("new")
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["target", "target/kept"]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Data, figures and reports in a folder that the test may spoil."""
    for name in ("DATA", "FIGURES", "REPORTS"):
        monkeypatch.setattr(paths, name, tmp_path / "deep" / name.lower())
    return tmp_path


@pytest.mark.parametrize("name", ["DATA", "FIGURES", "REPORTS"])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(folders, name):
    getattr(paths, name).parent.mkdir(exist_ok=True)
    getattr(paths, name).write_text("a file")
    with pytest.raises(WorkbookError, match=rf"cannot write .*{name.lower()}: .*; make room or set WORKBOOK_{name} to"):
        paths.check_writable()


def test_folders_that_can_be_written_are_made_and_left_empty(folders):
    paths.check_writable()
    assert sorted(file.name for file in folders.rglob("*")) == ["data", "deep", "figures", "reports"]


def test_what_a_killed_run_was_writing_is_removed_after_a_day(folders):
    yesterday = time.time() - 90_000
    places = [paths.DATA / "models", paths.REPORTS]
    for place in places:
        place.mkdir(parents=True)
        for age in ("stale", "new"):
            for kind in ("file", "folder"):
                write(place / f".{age}-{kind}.1a2b3c4d.tmp", kind)
        (place / "stale-and-whole").touch()
        for file in place.glob("*stale*"):
            os.utime(file, (yesterday, yesterday))
    paths.remove_old_temporaries()
    for place in places:
        left = {file.name for file in place.iterdir()}
        assert left == {".new-file.1a2b3c4d.tmp", ".new-folder.1a2b3c4d.tmp", "stale-and-whole"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_finished_folder_is_as_open_as_the_umask_says_whatever_a_library_does(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with paths.atomic(tmp_path / "model") as temporary:
            temporary.mkdir()
            os.close(os.open(temporary / "model.safetensors", os.O_CREAT, 0o600))
    finally:
        os.umask(before)
    assert (tmp_path / "model" / "model.safetensors").stat().st_mode & 0o777 == mode
