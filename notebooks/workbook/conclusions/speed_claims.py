"""Others' claims about speed and size: data/claims.csv, each with its source and the work it was made on, beside ours.

A factor means nothing without its rival and its texts. So each claim is measured twice: on the same kind of work, and
on equal terms - against the fastest variant of the small transformer on this machine, texts cut at the same token.
"""

from collections.abc import Sequence

import pandas as pd

from workbook import paths
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.evaluation.stopwatch import Times
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
    ratios = ratios.assign(words=ratios["work"].str.extract(r"^(\d+) words")[0].astype(int))
    shortest_texts, longest_texts = (
        ratios[ratios["words"] == end] for end in (ratios["words"].min(), ratios["words"].max())
    )
    smaller = rows[rows["metric"] == "times smaller"]["value"].tolist()
    measured = {
        "queries": (_against(shortest_texts, large), _on_equal_terms(shortest_texts)),
        "documents": (_against(longest_texts, longest), _on_equal_terms(longest_texts)),
        "size": (f"{smaller[0]:.1f} times", f"{smaller[1]:.1f} times, files on disk against the small transformer"),
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


def _against(ratios: pd.DataFrame, rival: str) -> str:
    own_limit = ratios[ratios["work"].str.contains("own limit") & ratios["work"].str.endswith(f"against {rival}")]
    return _ratio(own_limit.iloc[0])


def _on_equal_terms(ratios: pd.DataFrame) -> str:
    """Against the fastest variant: the one with the lowest ratio."""
    return _ratio(ratios[ratios["work"].str.contains("both cut at")].sort_values("value").iloc[0])


def _ratio(row: pd.Series) -> str:
    rival = row["work"].split("against ")[1]
    return f"{row['value']:,.0f} [{row['low']:,.0f}, {row['high']:,.0f}] times, {row['words']:,} words, {rival}"


def _minutes(runs: Sequence[Run], words_once: bool) -> str:
    largest = max(run.n for run in runs)
    for group in repeats_of(runs):
        if group[0].n == largest and group[0].job.words_once == words_once:
            took = Times.of([run.total_seconds / 60 for run in group])
            minutes = f"{took.value:.2f} [{took.low:.2f}, {took.high:.2f}]"
            return f"{minutes} minutes, {group[0].job.label}, {group[0].corpus}"
    return "not run"
