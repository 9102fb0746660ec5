"""What more documents would take than were measured: hours, memory, disk and nodes, by fits of growth and by bounds."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from workbook import quantization, results
from workbook.errors import WorkbookError
from workbook.growth import FARTHEST, FEWEST, Fit, names_of, per_document
from workbook.quantization import SETTINGS
from workbook.scale import Run

GB, HOUR = 1e9, 3600
FLOAT32 = 4  # bytes of a number of an original vector
PHASES = ("encode", "index")
HOURS = [f"extrapolated hours to {phase}{bound}" for phase in PHASES for bound in ("", ", at the measured rate")]
REFUSED = f"not extrapolated: more than {FARTHEST} times the largest run"
EXTRAPOLATED = [
    f"extrapolated {what}" for what in ("RAM GB", "disk GB", "nodes", "documents per node", "times the largest run")
]


def plan(
    run: Run, fitted: Mapping[str, Fit], sizes: Mapping[str, int], settings: Sequence[str], dimension: int,
    node_ram_gb: float = 64, originals_in_ram: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """What named sizes would take, EXTRAPOLATED: a row for each size and quantization setting.

    `extrapolated times the largest run` is how far beyond anything measured a row lies. Hours are of one machine like
    this: those of the fits as far as `Fit.estimate` follows them, and, as a bound, those at the highest rate measured.
    Index hours are only for the run's own setting and dimension, which were measured; "hours" says why those of the
    fits are missing. RAM is codes and HNSW graph, and originals if they are float32 or asked for: a lower bound,
    Qdrant's guide multiplies by 1.5 for metadata and segments being rebuilt
    (qdrant.tech/documentation/capacity-planning). Disk is originals, codes, graph and the run's other files, without
    room to rebuild segments. Graph and other files per document are the run's. Nodes hold `node_ram_gb` each, one
    replica, shards of equal size; a cluster begins at `extrapolated documents per node`. The frame's attrs hold the
    same, with values, as "assumptions". Raises WorkbookError for an unknown setting, a missing fit, or a node too small
    for one document.
    """
    quantization.check(list(settings), [dimension])
    missing = {"encode seconds", "index seconds"} - set(fitted)
    if missing:
        raise WorkbookError(f"no fit of {' and '.join(sorted(missing))}: measure {FEWEST} uninterrupted runs or more")
    largest, found = min(fitted["encode seconds"].largest, fitted["index seconds"].largest), []
    for name, n in sizes.items():
        for setting in settings:
            own = setting == run.setting and dimension == run.dimension
            ram = _ram(run, setting, dimension, originals_in_ram)
            per_node = int(node_ram_gb * GB // ram)
            if not per_node:
                raise WorkbookError(f"a node of {node_ram_gb} GB holds no document: give node_ram_gb in gigabytes")
            found.append({
                "size": name, "documents": n, "extrapolated times the largest run": n / largest,
                "setting": setting, "dimension": dimension, "hours": _how(fitted, n),
                **_hours("encode", fitted, n, True),
                **_hours("index", fitted, n, own), "extrapolated RAM GB": n * ram / GB,
                "extrapolated disk GB": n * _disk(run, setting, dimension) / GB,
                "extrapolated documents per node": per_node, "extrapolated nodes": math.ceil(n / per_node),
            })  # fmt: skip
    frame = pd.DataFrame(found)
    frame.attrs["assumptions"] = assumptions(run, fitted, dimension, node_ram_gb, originals_in_ram)
    return frame


def refusals(planned: pd.DataFrame) -> list[str]:
    """A line for each size of a plan whose hours are not those of the fits, with why."""
    told = planned[planned["hours"] != ""].drop_duplicates("documents")
    return [f"{row['size']}, {row['documents']:,} documents: hours {row['hours']}" for row in told.to_dict("records")]


def rows(run: Run, planned: pd.DataFrame) -> pd.DataFrame:
    """A plan in the long format of `results`; every metric is named extrapolated. Hours have prediction intervals."""
    found = []
    for row in planned.to_dict("records"):
        names = {
            **names_of(run), "dimension": row["dimension"], "setting": row["setting"], "key": run.key,
            "work": f"{row['documents']:,} documents, {row['size']}",
        }  # fmt: skip
        for phase in PHASES:
            value, low, high, bound = (row[column] for column in _hour_columns(phase))
            metric = f"extrapolated hours to {phase}"
            found.append({**names, "metric": metric, "value": value, "low": low, "high": high})
            found.append({**names, "metric": f"{metric}, at the measured rate", "value": bound})
        found += [{**names, "metric": metric, "value": row[metric]} for metric in EXTRAPOLATED]
    return pd.DataFrame(found).dropna(subset="value")


def assumptions(
    run: Run, fitted: Mapping[str, Fit], dimension: int, node_ram_gb: float = 64, originals_in_ram: bool = False
) -> str:
    """What a plan takes for granted, a line each, with the values it was computed from."""
    encode, index = fitted["encode seconds"], fitted["index seconds"]
    kept = "in RAM" if originals_in_ram else "on disk (float32 as a setting: in RAM)"
    return "\n".join([
        f"Hours: encoding grows as {encode} and indexing as {index} to {FARTHEST} times the largest runs, "
        f"{encode.largest:,} and {index.largest:,} documents; the ends are 95% prediction intervals. Where a fit says "
        f"less than n, and beyond {FARTHEST} times, there are no hours by it.",
        f"Hours at the measured rate: {1 / encode.cheapest:,.0f} documents/s encoded and {1 / index.cheapest:,.0f} "
        f"indexed, the highest measured, at any size: a bound for work that reads every document, no forecast.",
        f"Hours are of one machine: {results.machine_label()}; texts as long as those of {run.corpus}; "
        f"model {run.model}; index hours only for {run.setting} at {run.dimension} dimensions, as measured.",
        f"Original vectors, {FLOAT32 * dimension:,} bytes each, are {kept}; codes and graph in RAM.",
        f"Graph: {per_document(run, 'graph'):,.0f} bytes a document, other files: "
        f"{per_document(run, 'other'):,.0f}, as in the run of {run.n:,} documents.",
        "RAM, disk and nodes: the bytes of a document, times their number.",
        "RAM is a lower bound: nothing for metadata, payload, queries and segments being rebuilt, for which Qdrant's "
        "guide multiplies by 1.5. Disk has no room for rebuilding either, nor for the encoder's own files.",
        f"Nodes: {node_ram_gb:,g} GB of RAM each, all of it for this; replication 1; shards of equal size; "
        f"GB = 10^9 bytes.",
    ])  # fmt: skip


def _ram(run: Run, setting: str, dimension: int, originals_in_ram: bool) -> float:
    """Bytes of RAM a document: what is searched, its place in the graph, its original if that is asked for."""
    originals = FLOAT32 * dimension if originals_in_ram and setting != "float32" else 0
    return SETTINGS[setting].bytes_per_vector(dimension) + per_document(run, "graph") + originals


def _disk(run: Run, setting: str, dimension: int) -> float:
    codes = 0 if setting == "float32" else SETTINGS[setting].bytes_per_vector(dimension)
    return FLOAT32 * dimension + codes + per_document(run, "graph") + per_document(run, "other")


def _hours(phase: str, fitted: Mapping[str, Fit], n: int, measured: bool) -> dict[str, float]:
    each = fitted[f"{phase} seconds"]
    seconds = (*each.estimate(n), each.bound(n)) if measured else (math.nan,) * 4
    return dict(zip(_hour_columns(phase), (second / HOUR for second in seconds), strict=True))


def _hour_columns(phase: str) -> list[str]:
    hours = f"extrapolated hours to {phase}"
    return [hours, f"{phase} low", f"{phase} high", f"{hours}, at the measured rate"]


def _how(fitted: Mapping[str, Fit], n: int) -> str:
    """Why the fits give no hours for n documents; empty if they give both."""
    each = {phase: fitted[f"{phase} seconds"] for phase in PHASES}
    if any(n > FARTHEST * one.largest for one in each.values()):
        return f"{REFUSED}; as a bound, those at the highest rate measured"
    slow = [f"to {phase}" for phase, one in each.items() if one.is_bent]
    return (
        f"{' and '.join(slow)}: as a bound, those at the highest rate measured, as the fit says below n^1"
        if slow
        else ""
    )
