"""Others' claims about speed and size: data/claims.csv, each with its source and the work it was made on, beside ours.

A factor means nothing without its rival and its texts. So each claim is measured twice: on the same kind of work, and
on equal terms - against the fastest variant of the small transformer on this machine, texts cut at the same token.
"""

from collections.abc import Sequence

import pandas as pd

from workbook import paths
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.stopwatch import Times
from workbook.experiments import footprint
from workbook.experiments.ingest_runs import Run, repeats_of

FILE = paths.ROOT / "data" / "claims.csv"
COLUMNS = ["id", "claim", "value", "unit", "claimed on", "documents", "source"]


def read() -> pd.DataFrame:
    """The claims, by id. Raises WorkbookError for a claim without its value, work or source."""
    frame = results.read_table(FILE, {"value": float, "documents": float})
    if list(frame.columns) != COLUMNS or frame.drop(columns="documents").isna().any(axis=None):
        raise WorkbookError(f"{FILE.name}: every claim needs {', '.join(COLUMNS)}")
    return frame.set_index("id")


def minutes(n: int) -> dict[str, float]:
    """Seconds of the claim about encoding and indexing, under its source; nothing for another number of documents."""
    claim = read().loc["minutes"]
    named = {f"{claim['source'].split(':')[0]}: {claim['claimed on']}": 60 * claim["value"]}
    return named if n == claim["documents"] else {}


def table(rows: pd.DataFrame, runs: Sequence[Run], large: str, longest: str) -> pd.DataFrame:
    """Claim, on what, measured on the same kind of work, and on equal terms.

    `rows`: those of `encoding_speed.ratio_rows` and `footprint.times_smaller`. `large` names the rival for the shortest
    texts, `longest` that for the longest, each at its own limit. `runs`: the largest of them answer for the minutes.
    """
    ratios = rows[rows["metric"] == "speed-up"]
    shortest, longest_texts = (ratios[ratios["words"] == end] for end in (ratios["words"].min(), ratios["words"].max()))
    smaller = rows[rows["metric"] == "times smaller"].set_index("part")["value"]
    measured = {
        "queries": _answers(shortest, large),
        "documents": _answers(longest_texts, longest),
        "size": (
            f"{smaller[footprint.PARAMETERS]:.1f} times",
            f"{smaller[footprint.FILES]:.1f} times, files on disk against the small transformer",
        ),
        "minutes": (_minutes(runs, words_once=False), _minutes(runs, words_once=True)),
    }
    claimed = read()
    return pd.DataFrame(
        [
            (claim["claim"], claim["claimed on"], same, equal, claim["source"])
            for name, claim in claimed.iterrows()
            for same, equal in [measured[name]]
        ],
        columns=["claim", "claimed on", "measured here on the same kind of work", "on equal terms", "source"],
    )


def _answers(ratios: pd.DataFrame, rival: str) -> list[str]:
    """Against the rival, each at its own limit; and on equal terms, against the fastest variant: the lowest ratio."""
    against_it = ratios[ratios["against"] == rival]
    own_limit = against_it.sort_values("max_tokens", na_position="first").iloc[0]  # none where the limits differ
    equal = ratios[ratios["max_tokens"] > 0].sort_values("value").iloc[0]
    return [
        f"{statistics.with_range(row['value'], row['low'], row['high'], ',.0f')} times, {row['words']:,.0f} words, "
        f"{row['against']}"
        for row in (own_limit, equal)
    ]


def _minutes(runs: Sequence[Run], words_once: bool) -> str:
    largest = max(run.n for run in runs)
    for group in repeats_of(runs):
        if group[0].n == largest and group[0].job.words_once == words_once:
            took = Times.of([run.total_seconds / 60 for run in group])
            minutes = statistics.with_range(*took[:3], ".2f")
            return f"{minutes} minutes, {group[0].job.label}, {group[0].corpus}"
    return "not run"
