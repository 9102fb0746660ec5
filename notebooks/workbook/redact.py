"""Remove this machine's folders and the secrets of its environment from a text that is shared.

The text may be JSON or HTML: paths and secrets are found as they are and as these formats write them.
"""

import html.entities
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from workbook import paths

SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASS(WORD|WD|PHRASE)?|_PWD|CREDENTIALS?)$", re.IGNORECASE)
SHORTEST = 6  # characters: a shorter value is no secret, and would be found all over a text
ESCAPES = r"(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})|(?<=\dm)"  # the last: a colour in a traceback
BEFORE = rf"(?:(?<![\w.~-])|{ESCAPES})"  # what may stand before a path: no name's end, unless it is an escape's
AFTER = r"(?![\w-])"
SEPARATOR = r"(?:\\*/|\\+|%2[Ff])"
# The folder of any user, this machine's or another's that ran before
HOMES = re.compile(BEFORE + r"(?:[A-Za-z]:)?" + SEPARATOR + "(?:home|Users)" + SEPARATOR + r"[^/\\\s\"'<>&:;,)\]}]+")
LOGIN = re.compile(r"(?:(?<=://)|(?<=:\\/\\/))[^/\s\"'<>@]+(?=@)")


def clean(text: str, places: Iterable[str] = ()) -> str:
    """The text without secrets (`***`) and this machine's folders (named from the project: `.`, `./data`, `~`).

    `places` are more of this machine's paths; of each the last part stays, and `...` of the folder it is in.
    """
    for secret in sorted(_secrets(), key=len, reverse=True):  # one may begin with another
        text = re.sub(_any_way(secret), "***", text)
    text = LOGIN.sub("***", text)
    named = _named(places)
    for folder in sorted(named, key=lambda folder: len(str(folder)), reverse=True):  # the innermost first
        text = re.sub(_pattern(folder), lambda _, name=named[folder]: name, text)
    return HOMES.sub("~", text)


def _secrets() -> set[str]:
    """Values of the environment's variables whose names tell of a secret, line by line, and passwords in addresses."""
    found = [line for name, value in os.environ.items() if SECRET.search(name) for line in value.splitlines()]
    for value in os.environ.values():
        if "://" in value and "@" in value:
            password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
            found += [password, unquote(password)]
    return {value.strip() for value in found if len(value.strip()) >= SHORTEST}


def _named(places: Iterable[str]) -> dict[Path, str]:
    """Folders of this machine and what they are called instead, links followed and not, from its root and from home."""
    beir, python = os.environ.get("BEIR_DATA_DIR") or "/", sys.prefix if sys.prefix != sys.base_prefix else "/"
    own = [Path(place) for place in places]
    named = [
        *((place.parent, "...") for place in own), *((place, place.name) for place in own),
        (Path(python), "python"), (Path(beir), "beir"), (Path(tempfile.gettempdir()), "tmp"), (Path.home(), "~"),
        (paths.ROOT, "."), (paths.DATA, "./data"), (paths.FIGURES, "./figures"), (paths.REPORTS, "./reports"),
    ]  # fmt: skip
    both = {each: name for folder, name in named for each in (folder, folder.resolve())}
    # a home of / is no secret, and would be everywhere
    whole = {folder: name for folder, name in both.items() if folder.is_absolute() and folder != Path(folder.anchor)}
    home = Path.home()
    inside = {Path("~") / folder.relative_to(home): name for folder, name in whole.items() if home in folder.parents}
    return {**whole, **inside} if home in whole else whole


def _pattern(folder: Path) -> str:
    first, *rest = folder.parts
    return BEFORE + _any_way(first.rstrip("/\\")) + SEPARATOR + SEPARATOR.join(map(_any_way, rest)) + AFTER


def _any_way(text: str) -> str:
    """A pattern for a text as it is and as JSON, HTML and addresses write it, one inside the other too."""
    return "".join(map(_character, text))


@cache
def _character(one: str) -> str:
    if re.fullmatch(r"[\w.~-]", one, re.ASCII):  # what no format writes otherwise
        return re.escape(one)
    named = [name.rstrip(";") for name, character in html.entities.html5.items() if character == one]
    entity = "|".join([f"#0*{ord(one)}", f"#[xX]0*(?i:{ord(one):x})", *dict.fromkeys(named)])
    percent = "".join(f"%(?i:{byte:02x})" for byte in os.fsencode(one))
    utf16 = one.encode("utf-16-be", "surrogatepass").hex()
    code = "".join(rf"\\+u(?i:{utf16[place : place + 4]})" for place in range(0, len(utf16), 4))
    short = {"\t": r"|\\+t", "\b": r"|\\+b"}.get(one, "")  # in JSON
    return rf"(?:\\*{re.escape(one)}|&(?:amp;)*(?:{entity});|{percent}|{code}{short})"
