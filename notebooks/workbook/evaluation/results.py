"""What was measured, kept on disk: one file per measurement, and one table of rows per notebook run.

`remember` gives a measurement back instead of making it again if all that decides it is the same, this machine
included; each is written whole or not at all, so an interrupted run goes on where it stopped. `publish` writes the rows
a notebook shows, in one long format, for the runner's checks and for the report.
"""

import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import psutil
from pandas.io.formats.style import Styler

from workbook import names, paths, written
from workbook.corpora import corpora
from workbook.corpora.corpora import Corpus
from workbook.errors import WorkbookError
from workbook.evaluation.columns import COLUMNS, NUMBERS

SCHEMA = 5
HEADER = ("notebook", "run", *COLUMNS)
NOTHING_KNOWN = "queries it finds nothing for"  # a metric; only where there are such queries
KEYS_TOLD = 3  # of many, in a caption; the others are in the rows
CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = {"amx_tile": "AMX", "avx512_bf16": "AVX-512 with bfloat16", "avx512f": "AVX-512", "avx2": "AVX2"}
NVIDIA = Path("/proc/driver/nvidia/version")
_elsewhere: Path | None = None
PACKAGES = ("qdrant-edge-py", "qdrant-client", "sentence-transformers", "torch", "numpy", "pytrec_eval-terrier")


class Described(Protocol):
    """What is told of a model, which an `Encoder` has."""

    name: str
    kind: str
    revision: str
    remarks: str


@functools.cache
def machine() -> dict[str, Any]:
    """What makes a time on this machine what it is; also the difference between two machines' rows."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {package: importlib.metadata.version(package) for package in PACKAGES},
        **({"gpu": gpu} if (gpu := _gpu_name()) else {}),
    }


def machine_label() -> str:
    """This machine in one line, for captions."""
    return label_of(machine())


def label_of(facts: Mapping[str, Any]) -> str:
    """A machine in one line, given what `machine` said of it."""
    gpu = f", {facts['gpu']}" if "gpu" in facts else ""
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['ram_gb']} GB{gpu}"


@functools.cache
def instruction_set() -> str:
    """What this CPU multiplies matrices with, which decides how fast a transformer is; "" where it cannot be told.

    Not in `machine`: it says nothing that the CPU's name does not.
    """
    if not CPUINFO.exists():
        return ""
    told = {
        name for line in CPUINFO.read_text(encoding="utf-8").splitlines() if "flags" in line for name in line.split()
    }
    return next((name for flag, name in INSTRUCTIONS.items() if flag in told), "no AVX2")


def remember(kind: str, about: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the measurement that `about` describes: as it was written, or made now by `measure` and written.

    The record has `key`, `measured` (UTC), `about`, `machine`, and `values`, what `measure` gave.
    """
    about = plain(about)
    stored = find(kind, about)
    if stored is not None:
        return stored
    values = plain(measure())
    record = {
        "schema": SCHEMA, "key": key_of(about), "measured": _now(), "about": about, "machine": machine(),
        "values": values,
    }  # fmt: skip
    with paths.atomic(_file(kind, record["key"])) as temporary:
        temporary.write_text(json.dumps(record, indent=1, default=_plain), encoding="utf-8")
    return record


def find(kind: str, about: dict[str, Any]) -> dict[str, Any] | None:
    """A measurement made before, or None."""
    return read(kind, key_of(about))


def read(kind: str, key: str) -> dict[str, Any] | None:
    """A measurement by the key that rows give, or None; a file cut short or of another schema is as good as none."""
    try:
        record = json.loads(_file(kind, key).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(record, dict) and record.get("schema") == SCHEMA and isinstance(record.get("values"), dict)
    return record if whole else None


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values as they come back from disk: lists for tuples and arrays, numbers for numpy's."""
    return json.loads(json.dumps(values, default=_plain))


def key_of(about: dict[str, Any]) -> str:
    """Name of a measurement: hash of what it is about and of the machine."""
    content = json.dumps([SCHEMA, about, machine()], sort_keys=True, default=_plain)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def what_ran(corpus: Corpus, *models: Described, given: Mapping[str, Any]) -> Styler:
    """The first output of a notebook: run, parameters, corpus hash, model revisions, versions and machine; one column.

    Of a path among the parameters, which is this machine's own, its last part is shown.
    """
    facts = {
        "run": run_name(),
        "corpus": f"{corpus.name}: {len(corpus.documents):,} documents, {len(corpus.queries):,} queries",
        **({"notes on the corpus": "; ".join(corpus.notes)} if corpus.notes else {}),
        "parameters": "; ".join(f"{name} {_shown(value)}" for name, value in given.items()),
        "corpus sha256": corpus.sha256[:16],
        **{f"model {each.name}": f"{each.kind}, revision {each.revision[:19]}{each.remarks}" for each in models},
        "machine": f"{machine_label()}, {machine()['system']}, Python {machine()['python']}",
        "packages": ", ".join(f"{name} {version}" for name, version in machine()["packages"].items()),
    }
    frame = pd.DataFrame.from_dict(facts, orient="index", columns=[""])
    return written.table(frame, "what-ran").set_properties(**{"text-align": "left"})


def _shown(value: object) -> str:
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else json.dumps(value, default=str)


def run_name() -> str:
    """The run these rows belong to: set by the runner, `interactive` in JupyterLab."""
    return os.environ.get("WORKBOOK_RUN", "interactive")


def is_of_a_run() -> bool:
    """Whether the runner started this process."""
    return "WORKBOOK_RUN" in os.environ


def publish(notebook: str, frame: pd.DataFrame) -> str:
    """Write the rows a notebook shows, and the machine beside them. Says where they are.

    Columns that do not apply may be missing. Which content corpus and model are is written beside their names.
    Raises WorkbookError for a column that is not in COLUMNS, or rows without metric and value.
    """
    unknown = set(frame.columns) - set(COLUMNS)
    if unknown or frame.empty or not {"metric", "value"} <= set(frame.columns):
        known = ", ".join(COLUMNS)
        raise WorkbookError(f"rows need metric and value and only columns of {known}; unknown: {sorted(unknown)}")
    rows = frame.reindex(columns=list(COLUMNS))
    for name, content, told in (
        ("corpus", "corpus_sha256", names.CORPORA), ("model", "model_revision", names.MODELS)
    ):  # fmt: skip
        known = rows[name].map(told.content, na_action="ignore").replace("", None)
        rows[content] = rows[content].where(rows[content].notna(), known)
    rows = rows.astype(NUMBERS)
    rows.insert(0, "notebook", notebook)
    rows.insert(1, "run", run_name())
    file = published_file(run_name(), notebook)
    with paths.atomic(file) as temporary:
        rows.to_csv(temporary, index=False)
    with paths.atomic(file.with_suffix(".machine.json")) as temporary:
        facts = {**machine(), "published": _now(), "schema": SCHEMA}
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    where = file.relative_to(paths.DATA).as_posix()
    return "\n".join([*nothing_known(rows), f"{len(rows)} rows of {notebook} in run {run_name()}: {where} in data/"])


def nothing_known(rows: pd.DataFrame) -> list[str]:
    """Sentences on queries for which a method finds nothing, see `rankings`: they score 0."""
    told = rows[rows["metric"] == NOTHING_KNOWN]
    methods = told["method"].where(told["method"].notna(), told["model"])
    return [
        f"{method} finds nothing for {value:,.0f} of {n:,.0f} queries: it knows none of their words, or scores all "
        f"documents alike"
        for method, value, n in dict.fromkeys(zip(methods, told["value"], told["n"], strict=True))
    ]


def keys_in_words(keys: Iterable[str]) -> str:
    """The keys of measurements for a caption, "; keys 1f, 2e and 3 more"; "" for none."""
    all_of = list(dict.fromkeys(keys))
    more = f" and {len(all_of) - KEYS_TOLD} more" if len(all_of) > KEYS_TOLD else ""
    return f"; keys {', '.join(all_of[:KEYS_TOLD])}{more}" if all_of else ""


def read_rows(file: Path) -> pd.DataFrame:
    """Rows as they were published: names are text whatever they look like, "007" and "NA" too; missing is missing.

    Raises OSError for a file that cannot be read, ValueError for one that has other columns or no numbers in them.
    """
    found = read_table(file, NUMBERS)
    if tuple(found.columns) != HEADER:
        raise ValueError("its columns are not those of rows")
    return found


def read_table(file: Path, numbers: Mapping[str, Any]) -> pd.DataFrame:
    """A CSV file of this workbook's own: `numbers` are the types of columns of numbers, all others are text.

    Raises OSError for a file that cannot be read, ValueError for one that is no such table.
    """
    header = pd.read_csv(file, nrows=0, dtype=str, keep_default_na=False, encoding="utf-8")
    types = {name: numbers.get(name, str) for name in header.columns}
    return pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""], encoding="utf-8")


def corpus_slug(name: str, sha256: str) -> str:
    """A name for files of the corpus that rows are of, see `Corpus.slug`."""
    return name.replace(":", "-") if corpora.is_registered(name) or not sha256 else corpora.slug(name, sha256)


def published_file(run: str, notebook: str) -> Path:
    """Where the rows of a notebook in a run are."""
    return paths.DATA / "results" / "runs" / run / f"{notebook}.csv"


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Keep measurements in another folder for a while: a benchmark must neither find nor leave any."""
    global _elsewhere
    _elsewhere = folder
    try:
        yield
    finally:
        _elsewhere = None


def _file(kind: str, key: str) -> Path:
    return (_elsewhere or paths.DATA / "results") / kind / f"{key}.json"


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _cpu_name() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_name() -> str:
    """The GPU that torch can use; torch, which takes seconds, is asked only where there is a driver."""
    if not NVIDIA.exists():
        return ""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
