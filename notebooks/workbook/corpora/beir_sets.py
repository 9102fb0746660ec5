"""BEIR's data sets: their checksums and sizes, and how the folder of a set is found or downloaded.

A set is looked for in BEIR_DATA_DIR, then in data/beir, and then downloaded from BEIR's own server.
"""

import os
import re
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from workbook import paths
from workbook.errors import WorkbookError

BEIR_URL = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/{name}.zip"

MOST = 10 * 10**9  # bytes of a set once unpacked; BEIR's largest here, with 5.4 million documents, takes 3 GB
RATIO, SMALL = 100, 10**8  # a set of more than SMALL bytes may be so many times its zip; text is 3 or 4 times its zip
ENTRIES = 1_000  # a zip may have so many; BEIR's have six or so


class Beir(NamedTuple):
    """A BEIR set: the md5 of its zip, and how many documents and test queries it holds, if that is known."""

    md5: str
    documents: int | None = None
    queries: int | None = None


# md5 as in BEIR's README
BEIR = {
    "arguana": Beir("8ad3e3c2a5867cdced806d6503f29b99", 8_674, 1_406),
    "climate-fever": Beir("8b66f0a9126c521bae2bde127b4dc99d"),
    "dbpedia-entity": Beir("c2a39eb420a3164af735795df012ac2c"),
    "fever": Beir("5a818580227bfb4b35bb6fa46d9b6c03"),
    "fiqa": Beir("17918ed23cd04fb15047f73e6c3bd9d9", 57_638, 648),
    "hotpotqa": Beir("f412724f78b0d91183a0e86805e16114"),
    "nfcorpus": Beir("a89dba18a62ef92f7d323ec890a0d38d", 3_633, 323),
    "nq": Beir("d4d3d2e48787a744b6f6e691ff534307"),
    "quora": Beir("18fb154900ba42a600f84b839c173167"),
    "scidocs": Beir("38121350fc3a4d2f48850f6aff52e4a9"),
    "scifact": Beir("5f7d1de60b170fc8027bb7898e2efca1", 5_183, 300),
    "trec-covid": Beir("ce62140cb23feb9becf6270d0d1fe6d1", 171_332, 50),
    "webis-touche2020": Beir("46f650ba5a527fc69e0a6521c5a23563"),
}


def folder_of(name: str) -> Path:
    """The folder of a BEIR set: BEIR_DATA_DIR first, then data/beir, then a download."""
    if folder := local_folder(name):
        return folder
    downloads = paths.DATA / "beir"
    if (downloads / name).exists():
        raise WorkbookError(f"{downloads / name} has no corpus.jsonl; delete the folder, then it is downloaded again")
    archive = _download(name, downloads)
    unpack(archive, name)
    return downloads / name


def unpack(archive: Path, name: str) -> None:
    """Put the folder in a downloaded zip beside it, and remove the zip. Raises WorkbookError if it is broken."""
    try:
        with (
            paths.atomic(archive.with_name(name)) as folder,
            tempfile.TemporaryDirectory(dir=archive.parent) as scratch,
        ):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(scratch, _members(zipped, name, archive.stat().st_size))
            (Path(scratch) / name).replace(folder)
            if not is_beir_folder(folder):
                raise FileNotFoundError("it has no corpus.jsonl")
    except WorkbookError:
        raise  # the disk is full
    except Exception as error:  # of zipfile and of each decompressor, their own and plain ones
        archive.unlink(missing_ok=True)
        raise WorkbookError(f"{archive.name} is not BEIR's zip of {name} ({error}); removed it, run again") from None
    archive.unlink(missing_ok=True)


def _members(zipped: zipfile.ZipFile, name: str, size: int) -> list[str]:
    """The names of a zip's files in the set's folder. Raises BadZipFile if one leads out of it, or all are too large.

    The declared sizes can be trusted: zipfile writes no more than they say. Entries that share bytes, by which a small
    zip holds petabytes, are found by their compressed sizes: together they exceed the zip.
    """
    entries = zipped.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MOST or unpacked > max(RATIO * size, SMALL):
        raise zipfile.BadZipFile(f"unpacked it would be {unpacked / 1e6:,.0f} MB")
    if len(entries) > ENTRIES or sum(entry.compress_size for entry in entries) > size:
        raise zipfile.BadZipFile("its entries are too many, or overlap")
    for entry in entries:
        parts = re.split(r"[/\\]", entry.filename)
        if ".." in parts or not parts[0] or ":" in parts[0]:
            raise zipfile.BadZipFile(f"{entry.filename!r} leads out of the folder")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise zipfile.BadZipFile(f"{entry.filename!r} is a link or a device")
    return [entry.filename for entry in entries if entry.filename.startswith(f"{name}/")]


def local_folder(name: str) -> Path | None:
    """The folder of a BEIR set if it is here already. Raises WorkbookError if BEIR_DATA_DIR is no folder."""
    places = [Path(os.environ["BEIR_DATA_DIR"])] if os.environ.get("BEIR_DATA_DIR") else []
    for place in places:
        if not (paths.exists(place) and place.is_dir()):
            raise WorkbookError(f"BEIR_DATA_DIR is {place}, and there is no such folder: correct it or take it away")
    return next((place / name for place in [*places, paths.DATA / "beir"] if is_beir_folder(place / name)), None)


def local_sets() -> list[str]:
    """The sets in BEIR_DATA_DIR, by name where BEIR has one of it, else by folder, in the order of their names.

    Raises WorkbookError if there are none.
    """
    if not (found := local_folders()):
        place = os.environ.get("BEIR_DATA_DIR") or paths.DATA / "beir"
        raise WorkbookError(f"no folder of {place} has a corpus.jsonl: set BEIR_DATA_DIR to a folder that holds sets")
    return [folder.name if folder.name in BEIR else str(folder) for folder in found]


def local_folders() -> list[Path]:
    """The folders of all sets in BEIR_DATA_DIR, in the order of their names."""
    local_folder("")  # raises if BEIR_DATA_DIR is no folder
    place = Path(os.environ.get("BEIR_DATA_DIR") or paths.DATA / "beir").resolve()
    return sorted(folder for folder in place.glob("*") if is_beir_folder(folder))


def is_beir_folder(folder: Path) -> bool:
    return paths.is_file(folder / "corpus.jsonl")


def check_links(folder: Path) -> None:
    """Raise WorkbookError if a file of a folder in BEIR layout is a link out of it, see `paths.check_inside`."""
    for file in (folder / "corpus.jsonl", folder / "queries.jsonl", *sorted((folder / "qrels").glob("*.tsv"))):
        paths.check_inside(folder, file)


def _download(name: str, folder: Path) -> Path:
    import pooch
    import requests

    url = BEIR_URL.format(name=name)
    try:
        progress = os.environ.get("TQDM_DISABLE") is None
        fetched = pooch.retrieve(
            url, f"md5:{BEIR[name].md5}", fname=f"{name}.zip", path=folder,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
        )  # fmt: skip
    except ValueError as error:
        raise WorkbookError(f"{url} has another md5 than BEIR publishes; try again later ({error})") from None
    except (requests.RequestException, OSError) as error:
        if isinstance(error, OSError) and error.errno in paths.UNWRITABLE:
            raise paths.cannot_write(folder, error) from error
        raise WorkbookError(
            f"cannot reach {url} ({type(error).__name__}); get the zip by other means, unpack it and "
            f"set BEIR_DATA_DIR to the folder that holds {name}/"
        ) from None
    return Path(fetched)
