"""A retrieval corpus from the docstrings of the installed packages that python_docs.txt lists. Nothing is downloaded.

The summary line of a docstring is a query, and the rest of it is the document that answers. Sources are parsed with
`ast`, never imported. The docstrings that are neither in the corpus nor nearly the same as one in it are kept beside
it, to train on. The corpus is no benchmark: it changes when the list changes, so its scores compare with no others.
"""

import ast
import hashlib
import importlib.metadata
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from workbook import paths
from workbook.corpora import lines, near_duplicates
from workbook.corpora.near_duplicates import plain
from workbook.errors import WorkbookError
from workbook.progress import bar

FORMAT = 6  # raise it when the rules below change, so that older builds are not used
DOCUMENTS, QUERIES, SEED = 4_000, 500, 0
PACKAGES = Path(__file__).with_name("python_docs.txt")
OUTSIDE = "outside.jsonl"  # in the corpus's folder: the docstrings that are not in the corpus
SUMMARY_WORDS, BODY_WORDS = range(4, 41), range(20, 121)  # MiniLM reads 256 tokens: about 120 words of these


class Docstring(NamedTuple):
    """Where it stands (`package:module.name`), its first paragraph, and the rest as one line of text."""

    id: str
    summary: str
    body: str


def is_name(name: str) -> bool:
    """Tell whether `name` is `python-docs` or `python-docs:N`, N documents."""
    return re.fullmatch(r"python-docs(:[0-9]{1,7})?", name) is not None


def size_of(name: str) -> int:
    """Number of documents that a name asks for. Raises WorkbookError for fewer than there are queries."""
    size = int(name.partition(":")[2] or DOCUMENTS)
    if size < QUERIES:
        raise WorkbookError(f"{name} has fewer documents than queries: ask for {QUERIES} documents or more")
    return size


def build(name: str) -> Path:
    """Build the corpus in BEIR layout, or find it built, and return its folder.

    Documents and queries are drawn with a fixed seed; every query's summary occurs once in all docstrings.
    Raises WorkbookError when the packages do not hold as many documents as asked for.
    """
    size = size_of(name)
    versions = packages()
    key = hashlib.sha256(json.dumps([FORMAT, QUERIES, SEED, versions]).encode()).hexdigest()[:12]
    folder = paths.DATA / "python-docs" / f"{size}-{key}"
    if folder.is_dir():
        return folder
    harvest = list(docstrings(versions))
    times = Counter(plain(entry.summary) for entry in harvest)
    unique = [entry for entry in harvest if times[plain(entry.summary)] == 1]
    if size > len(harvest) or len(unique) < QUERIES:
        found = f"{len(harvest)} documents, {len(unique)} of them with a unique summary"
        raise WorkbookError(f"python-docs has {found}; ask for {QUERIES} to {len(harvest)}, not {size}")
    draw = random.Random(SEED)
    asked = draw.sample(unique, QUERIES)
    taken = {entry.id for entry in asked}
    others = draw.sample([entry for entry in harvest if entry.id not in taken], size - QUERIES)
    taken |= {entry.id for entry in others}
    with paths.atomic(folder) as temporary:
        lines.write_beir(
            temporary,
            ((entry.id, "", entry.body) for entry in sorted(asked + others)),
            {f"q:{entry.id}": entry.summary for entry in asked},
            {f"q:{entry.id}": {entry.id: 1} for entry in asked},
        )
        lines.write(temporary / OUTSIDE, _outside(harvest, taken))
    return folder


def _outside(harvest: list[Docstring], taken: set[str]) -> Iterator[Docstring]:
    """The docstrings that are neither taken nor near-duplicates of one that is."""
    groups = near_duplicates.groups([entry.body for entry in harvest])
    near = {group for entry, group in zip(harvest, groups, strict=True) if entry.id in taken}
    return (entry for entry, group in zip(harvest, groups, strict=True) if group not in near)


def packages() -> dict[str, str]:
    """The packages of the corpus and their versions, by name.

    Raises WorkbookError if one is not installed, or at another version: the corpus would be another.
    """
    versions = {}
    for package, wanted in re.findall(r"^([\w.-]+)==([\w.]+)$", PACKAGES.read_text(encoding="utf-8"), re.MULTILINE):
        try:
            versions[package] = importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "nothing"
        if versions[package] != wanted:
            raise WorkbookError(
                f"{PACKAGES.name} pins {package}=={wanted} but {versions[package]} is there; `make clean`, then again"
            )
    return dict(sorted(versions.items()))


def docstrings(packages: dict[str, str]) -> Iterator[Docstring]:
    """Yield the usable docstrings of the packages, ordered by package and file, each body once whatever its case."""
    seen: set[str] = set()
    for package in bar(packages, desc="parsing docstrings", unit="package"):
        distribution = importlib.metadata.distribution(package)
        for file in sorted(str(file) for file in distribution.files or [] if _is_source(file)):
            source = Path(distribution.locate_file(file)).read_bytes()
            for entry in parse(source, f"{package}:{file[:-3].replace('/', '.')}"):
                if entry.id not in seen and plain(entry.body) not in seen:
                    seen.update((entry.id, plain(entry.body)))
                    yield entry


def parse(source: bytes, module: str) -> Iterator[Docstring]:
    """Yield the usable docstrings of one module's source; nothing if it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    stack: list[tuple[str, ast.AST]] = [(module, tree)]
    while stack:
        name, node = stack.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            entry = _split(name, ast.get_docstring(node) or "")
            if entry:
                yield entry
            children = [child for child in ast.iter_child_nodes(node) if hasattr(child, "name")]
            stack += [(f"{name}.{child.name}", child) for child in reversed(children)]


def _split(name: str, docstring: str) -> Docstring | None:
    first, _, rest = docstring.strip().partition("\n\n")
    summary, body = " ".join(first.split()), " ".join(rest.split())
    if len(summary.split()) not in SUMMARY_WORDS or len(body.split()) not in BODY_WORDS or summary in body:
        return None
    return Docstring(name, summary, body)


def _is_source(file: Path) -> bool:
    names = {part.lower() for part in file.parts}
    return file.suffix == ".py" and ".." not in names and not names & {"test", "tests", "testing", "_vendor"}
