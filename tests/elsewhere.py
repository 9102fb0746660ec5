"""The workbook as another user has it: other folders, home, locale, time zone and day, and secrets to keep.

Names and secrets are words that are nowhere else, so that any trace of them is a leak.
"""

import base64
import binascii
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from workbook import paths

SECRETS = ("qvxkeyhead", "qvxkeytail", "qvxhubtoken", "qvxpassword", "qvxloginname", "qvxloginpass")
PLACES = ("qvxworkfolder", "qvxhomefolder", "qvxtemporary", "qvxbeirsets", "qvxclientname", "qvxmodelvault")
PRIVATE = (*SECRETS, *PLACES, "qvxusername", "qvxhostname")
# The second run of these is compared with the first. 02 is of times; 06 chooses among searches that the engine's chance
# moves; 08 reads the others.
AGAIN = ("01_static_vs_transformer", "03_matryoshka_dimensions", "04_quantization_vs_ndcg", "05_train_your_own")
JUMP = 30  # seconds from the start until the clock goes back


class Elsewhere(NamedTuple):
    """Where it is, in a folder with awkward letters, and the environment of its processes."""

    folder: Path
    environment: dict[str, str]

    @property
    def left(self) -> Iterator[Path]:
        """Every file that was left in the workbook's own folders."""
        for name in ("data", "reports", "figures"):
            yield from (file for file in (self.folder / name).rglob("*") if file.is_file())

    def python(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Python there, from its home, with what it prints kept."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.environment["HOME"], env=self.environment, capture_output=True, umask=0o077, check=False
        )

    def workbook(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.python("-m", "workbook", *arguments)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory) -> Elsewhere:
    """The place, after the smoke profile ran there from scratch."""
    folder = tmp_path_factory.mktemp("other") / "Jo's qvxworkfolder & co"
    named = {"HOME": "qvxhomefolder", "TMPDIR": "qvxtemporary", "BEIR_DATA_DIR": "qvxbeirsets"}
    for name in named.values():
        (folder / name).mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKBOOK_", "QDRANT_", "LC_"))}
    environment = kept | {
        **{variable: str(folder / name) for variable, name in named.items()},
        **{f"WORKBOOK_{name.upper()}": str(folder / name) for name in ("data", "reports", "figures")},
        "PYTHONPATH": str(paths.NOTEBOOKS), "QDRANT_API_KEY": """qvxkeyhead'"<&>\\/+ qvxkeytail""",
        "QDRANT_URL": "http://qvxloginname:qvxloginpass@qvxhostname:6333", "HF_TOKEN": "hf_qvxhubtoken",
        "DB_PASSWORD": "qvxpassword", "USER": "qvxusername", "LOGNAME": "qvxusername", "HOSTNAME": "qvxhostname",
        # text is ASCII where nobody says what it is; sets and dicts have another order; the day has begun elsewhere
        "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "4711",
        "TZ": "Pacific/Kiritimati",
    }  # fmt: skip
    if clock := _clock(folder.parent):
        environment["LD_PRELOAD"] = str(clock)
    place = Elsewhere(folder, environment)
    done = place.workbook("run", "--profile", "smoke", *(part for name in AGAIN for part in ("--notebook", name)))
    (folder / "printed").write_bytes(done.stdout + done.stderr)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return place


def _clock(folder: Path) -> Path | None:
    """A library that sets the clock of who preloads it; None where it cannot be compiled."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or not compiler:
        return None
    library, back = folder / "clock.so", int(time.monotonic()) + JUMP
    source = Path(__file__).with_name("clock.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-DBACK={back}", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library


def traces(content: bytes, words: tuple[str, ...] = PRIVATE) -> set[str]:
    """Which of the words are in it: as text of any width, packed, or in base64, itself or what it is part of."""
    found = set()
    for view in _views(content):
        found |= {word for word in words if any(form in view for form in _forms(word))}
    return found


def _forms(word: str) -> list[bytes]:
    """The word as text, as wide text, and what of it stands in base64, by how many bytes are before it."""
    forms = [word.encode(coding) for coding in ("utf-8", "utf-16-le", "utf-32-le")]
    for before in range(3):
        code = base64.b64encode(b" " * before + word.encode())
        forms.append(code[4 * (before > 0) : -4])  # without the groups that it shares with what is around it
    return forms


def _views(content: bytes, depth: int = 3) -> Iterator[bytes]:
    """The bytes, and what is packed in them."""
    yield content
    if not depth:
        return
    for inner in _packed(content):
        yield from _views(inner, depth - 1)


def _packed(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif content.startswith(b"\x89PNG"):
        yield from _texts_of_picture(content)
    else:
        for blob in re.finditer(rb"[A-Za-z0-9+/]{64,}={0,2}", content):
            try:
                yield base64.b64decode(blob[0] + b"=" * (-len(blob[0]) % 4))
            except binascii.Error:  # letters that only look like it
                continue


def _texts_of_picture(content: bytes) -> Iterator[bytes]:
    """What a PNG's chunks of compressed text say."""
    place = 8
    while place < len(content):
        size, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        body = content[place + 8 : place + 8 + size]
        if kind in (b"zTXt", b"iTXt"):
            yield zlib.decompressobj().decompress(body[body.index(b"\x78") :])
        place += size + 12
