"""What more documents would take than were measured: hours, memory, disk and nodes, by fits of growth and by bounds."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from workbook.conclusions.growth import FARTHEST, FEWEST, Fit, names_of, per_document
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments.ingest_runs import Run
from workbook.qdrant import engine, quantization
from workbook.qdrant.quantization import SETTINGS, graph_bytes

GB, HOUR = 1e9, 3600
FLOAT32 = 4  # bytes of a number of an original vector
TOGETHER = "encode, store and index"  # a server indexes while it stores: neither has hours of its own
SECONDS = {"encode": "encode seconds", "index": "index seconds", TOGETHER: "total seconds"}  # of a phase, in a fit
HOURS = [f"extrapolated hours to {phase}{bound}" for phase in SECONDS for bound in ("", ", at the measured rate")]
DOING = {"encode": "encoding", "index": "indexing", TOGETHER: "encoding, storing and indexing at once"}
DONE = {"encode": "encoded", "index": "indexed", TOGETHER: "encoded, stored and indexed"}
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
    fits are missing. Of a run on a server there are only hours of all at once, likewise, and of that server's nodes.
    RAM is codes and HNSW graph, and originals if they are float32, asked for, or not on disk where the run was placed:
    a lower bound, Qdrant's guide multiplies by 1.5 for metadata and segments being rebuilt
    (qdrant.tech/documentation/capacity-planning). Disk is originals, codes, graph and the run's other files, without
    room to rebuild segments. Graph and other files per document are the run's. RAM and disk are of all the copies that
    the run was placed with. Nodes hold `node_ram_gb` each, in shards of equal size, and no document twice; a cluster of
    one copy begins at `extrapolated documents per node`. The frame's attrs hold the same, with values, as
    "assumptions". Raises WorkbookError for an unknown setting, a missing fit, or a node too small for one document.
    """
    quantization.check(list(settings), [dimension])
    phases, copies = _phases(run), _copies(run)
    missing = [SECONDS[phase] for phase in phases if SECONDS[phase] not in fitted]
    if missing:
        raise WorkbookError(f"no fit of {' and '.join(missing)}: measure {FEWEST} uninterrupted runs or more")
    largest, found = min(fitted[SECONDS[phase]].largest for phase in phases), []
    for name, n in sizes.items():
        for setting in settings:
            own = setting == run.setting and dimension == run.dimension
            ram = _ram(run, n, setting, dimension, originals_in_ram)
            per_node = int(node_ram_gb * GB // ram)
            if not per_node:
                raise WorkbookError(f"a node of {node_ram_gb} GB holds no document: give node_ram_gb in gigabytes")
            found.append({
                "size": name, "documents": n, "extrapolated times the largest run": n / largest,
                "setting": setting, "dimension": dimension, "hours": _how(phases, fitted, n),
                **{name: hours for phase in phases
                   for name, hours in _hours(phase, fitted, n, own or phase == "encode").items()},
                "extrapolated RAM GB": copies * n * ram / GB,
                "extrapolated disk GB": copies * n * _disk(run, n, setting, dimension) / GB,
                "extrapolated documents per node": per_node,
                "extrapolated nodes": max(copies, math.ceil(copies * n / per_node)),
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
            "documents": row["documents"], "scenario": row["size"],
        }  # fmt: skip
        for phase in _phases(run):
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
    fits = {phase: fitted[SECONDS[phase]] for phase in _phases(run)}
    kept = "in RAM" if _in_ram(run, originals_in_ram) else "on disk (float32 as a setting: in RAM)"
    return "\n".join([
        f"Hours: {' and '.join(f'{DOING[phase]} grows as {fit}' for phase, fit in fits.items())} to {FARTHEST} times "
        f"the largest runs, {' and '.join(f'{fit.largest:,}' for fit in fits.values())} documents; the ends are 95% "
        f"prediction intervals. Where a fit says less than n, and beyond {FARTHEST} times, there are no hours by it.",
        f"Hours at the measured rate: documents/s "
        f"{' and '.join(f'{1 / fit.cheapest:,.0f} {DONE[phase]}' for phase, fit in fits.items())}, "
        f"the highest measured, at any size: a bound for work that reads every document, no forecast.",
        f"Hours are of one machine: {results.machine_label()}{run.on and '; and of '}{run.on}; texts as long as those "
        f"of {run.corpus}; model {run.model}; {'hours' if run.job.is_remote else 'index hours'} only for {run.setting} "
        f"at {run.dimension} dimensions, as measured.",
        f"Original vectors, {FLOAT32 * dimension:,} bytes each, are {kept}; codes and graph in RAM.",
        _graph_from(run),
        "RAM, disk and nodes: the bytes of a document, times their number.",
        "RAM is a lower bound: nothing for metadata, payload, queries and segments being rebuilt, for which Qdrant's "
        "guide multiplies by 1.5. Disk has no room for rebuilding either, nor for the encoder's own files.",
        f"Nodes: {node_ram_gb:,g} GB of RAM each, all of it for this; replication {_copies(run)}, counted in RAM, disk "
        f"and nodes; shards of equal size, enough for every node to have one; GB = 10^9 bytes.",
    ])  # fmt: skip


def _phases(run: Run) -> list[str]:
    """What has hours of its own, as the run's engine works."""
    return [TOGETHER] if run.job.is_remote else ["encode", "index"]


def _copies(run: Run) -> int:
    """On how many nodes each document is."""
    return run.job.placement.replication_factor or 1


def _in_ram(run: Run, originals_in_ram: bool) -> bool:
    return originals_in_ram or (run.job.is_remote and not run.job.placement.on_disk)


def _graph_from(run: Run) -> str:
    """Where the bytes of graph and other files are from."""
    if run.job.is_remote:
        return (
            "Graph: computed, as a server tells no bytes: every list of links full, all documents in one segment. "
            "Other files are not counted."
        )
    return (
        f"Graph: {per_document(run, 'graph'):,.0f} bytes a document, other files: "
        f"{per_document(run, 'other'):,.0f}, measured on Edge in the run of {run.n:,} documents."
    )


def _graph(run: Run, n: int) -> float:
    """Bytes of graph of one of n documents: the run's, or where the engine tells none, those of n in one segment."""
    return graph_bytes(n, engine.M) if run.job.is_remote else per_document(run, "graph")


def _ram(run: Run, n: int, setting: str, dimension: int, originals_in_ram: bool) -> float:
    """Bytes of RAM a document: what is searched, its place in the graph, its original if that is asked for."""
    originals = FLOAT32 * dimension if _in_ram(run, originals_in_ram) and setting != "float32" else 0
    return SETTINGS[setting].bytes_per_vector(dimension) + _graph(run, n) + originals


def _disk(run: Run, n: int, setting: str, dimension: int) -> float:
    codes = 0 if setting == "float32" else SETTINGS[setting].bytes_per_vector(dimension)
    return FLOAT32 * dimension + codes + _graph(run, n) + per_document(run, "other")


def _hours(phase: str, fitted: Mapping[str, Fit], n: int, measured: bool) -> dict[str, float]:
    each = fitted[SECONDS[phase]]
    seconds = (*each.estimate(n), each.bound(n)) if measured else (math.nan,) * 4
    return dict(zip(_hour_columns(phase), (second / HOUR for second in seconds), strict=True))


def _hour_columns(phase: str) -> list[str]:
    hours = f"extrapolated hours to {phase}"
    return [hours, f"{phase} low", f"{phase} high", f"{hours}, at the measured rate"]


def _how(phases: Sequence[str], fitted: Mapping[str, Fit], n: int) -> str:
    """Why the fits give no hours for n documents; empty if they give all."""
    each = {phase: fitted[SECONDS[phase]] for phase in phases}
    if any(n > FARTHEST * one.largest for one in each.values()):
        return f"{REFUSED}; as a bound, those at the highest rate measured"
    slow = [f"to {phase}" for phase, one in each.items() if one.is_bent]
    return (
        f"{' and '.join(slow)}: as a bound, those at the highest rate measured, as the fit says below n^1"
        if slow
        else ""
    )
