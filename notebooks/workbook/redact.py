"""What is shared leaves this machine without its folders and without the secrets of its environment.

It works on any text, JSON and HTML too: paths and secrets are found as they are and as these formats write them.
"""

import html
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from workbook import paths

SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
SHORTEST = 6  # characters: a shorter value is no secret, and would be found all over a text
# What may stand before a path: no name's end, unless it is an escape's (a new line in JSON, a colour in a traceback)
BEFORE = r"(?:(?<![\w.~-])|(?<=\\[nrt])|(?<=\dm))"
AFTER = r"(?![\w-])"
SEPARATOR = r"(?:\\*/|\\+)"
# The folder of any user, this machine's or another's that ran before
HOMES = re.compile(BEFORE + r"(?:[A-Za-z]:)?" + SEPARATOR + "(?:home|Users)" + SEPARATOR + r"[^/\\\s\"'<>&:;,)\]}]+")
LOGIN = re.compile(r"(?<=://)[^/\s\"'<>:@]*:[^/\s\"'<>@]+(?=@)")


def clean(text: str, places: Iterable[str] = ()) -> str:
    """The text without secrets (`***`) and this machine's folders (named from the project: `.`, `./data`, `~`).

    `places` are more of this machine's paths; of each the last part stays.
    """
    for place in sorted(places, key=len, reverse=True):
        text = re.sub(_pattern(Path(place)), lambda _, name=Path(place).name: name, text)
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= SHORTEST:
            text = re.sub(_any_way(value), "***", text)
    text = LOGIN.sub("***", text)
    for folder, name in sorted(_folders(), key=lambda pair: -len(str(pair[0]))):  # the innermost first
        if folder.is_absolute() and folder != Path(folder.anchor):  # a home of / is no secret, and would be everywhere
            text = re.sub(_pattern(folder), name, text)
    return HOMES.sub("~", text)


def _folders() -> Iterator[tuple[Path, str]]:
    """Folders of this machine and what they are called instead, links followed and not."""
    named = [
        (paths.DATA, "./data"), (paths.FIGURES, "./figures"), (paths.REPORTS, "./reports"), (paths.ROOT, "."),
        (Path.home(), "~"), (Path(tempfile.gettempdir()), "tmp"), (Path(os.environ.get("BEIR_DATA_DIR", "/")), "beir"),
    ]  # fmt: skip
    for folder, name in named:
        yield folder, name
        yield folder.resolve(), name


def _pattern(folder: Path) -> str:
    first, *rest = folder.parts
    return BEFORE + _any_way(first.rstrip("/\\")) + SEPARATOR + SEPARATOR.join(map(_any_way, rest)) + AFTER


def _any_way(text: str) -> str:
    """A pattern for a text as it is and as JSON, HTML and an address write it."""
    written = {text, html.escape(text), html.escape(text, quote=False), quote(text), json.dumps(text)[1:-1]}
    return "(?:" + "|".join(re.escape(way) for way in sorted(written, key=lambda way: (-len(way), way))) + ")"
