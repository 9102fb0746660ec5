"""Which measured setting to use: the smallest, the fastest and the balanced that keep NDCG@10 within a margin.

Half of the queries chooses, the other half reports: what is chosen for its score on some queries looks too good on
them. A choice that the other half does not confirm says so, and no other is tried in its place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter

import numpy as np
import pandas as pd

from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.evaluation.statistics import WORSE, Interval, Verdict
from workbook.evaluation.stopwatch import Times
from workbook.experiments import footprint
from workbook.experiments.grid import Cell, find

LARGEST_SHARE = 0.2  # of the reference's score: a margin above it gives up most of what the model finds
CONFIRMED, UNCONFIRMED = "confirmed", "not confirmed"  # by the half that reports: no loss of the margin
ROLES = {
    "smallest": lambda cell: (cell.bytes_per_vector, _latency(cell)),
    "fastest": lambda cell: (round(1e5 * _latency(cell)), cell.bytes_per_vector),  # to 0.01 ms: the rest is noise
    "balanced": lambda cell: (cell.bytes_per_vector * _latency(cell), cell.bytes_per_vector),
}


@dataclass(frozen=True)
class Choice:
    """A setting and what the reporting half says of it: difference in NDCG@10, its verdict in words, queries to decide.

    `confirmed`: no loss of the margin. `queries_needed` counts both halves; None where the verdict is settled. `role`:
    smallest, fastest, balanced.
    """

    role: str
    cell: Cell
    difference: Interval
    verdict: str
    confirmed: bool
    queries_needed: int | None


@dataclass(frozen=True)
class Recommendation:
    """The choices, none where the choosing half shows nothing within the margin, and how many queries were in it.

    Without choices, `closest` is the candidate that the fewest queries more would decide, `queries_needed` in both
    halves; both None if nothing was compared, see `obstacle`, or if each candidate is shown to be worse.
    """

    reference: Cell
    margin: float
    queries: int
    choices: list[Choice]
    closest: Cell | None = None
    queries_needed: int | None = None

    @property
    def score(self) -> float:
        """NDCG@10 of the reference, over all queries."""
        return float(self.reference.judgements["ndcg@10"].mean())

    @property
    def fewest(self) -> int:
        """Queries it takes, both halves: with fewer, a setting that loses one query in so many may show no loss."""
        return 2 * statistics.fewest(self.margin)

    @property
    def obstacle(self) -> str:
        """Why nothing can be recommended whatever the settings score, in a sentence; empty if there is no reason."""
        if self.margin > LARGEST_SHARE * self.score:
            return (
                f"{self.reference.model} scores {self.score:.3f} here with its whole float32 vectors, of which a "
                f"margin of {self.margin:g} is too large a share: it hardly finds these documents, so no setting of "
                f"it matters. Try another model, or a margin below {LARGEST_SHARE * self.score:.3f}."
            )
        if self.queries < self.fewest:
            return (
                f"{self.queries} queries are too few to choose by one half and report on the other within a margin of "
                f"{self.margin:g}: {self.fewest} are the least, or a margin of {6 / self.queries:.2g}."
            )
        return ""


def choose(cells: Sequence[Cell], margin: float = statistics.MARGIN, seed: int = 0) -> Recommendation:
    """Choose among the cells of one model; the reference is its whole float32 vector searched exactly.

    Candidates are the cells whose search was timed, float32 too: exact and full-ef only measure a loss. Eligible are
    those that the choosing half, drawn by `seed`, shows not to lose the margin, each by its own interval: the half that
    reports decides, and knows only the chosen.
    smallest: fewest bytes per vector; fastest: lowest median latency; balanced: lowest product of the two. Of equals,
    the smaller or faster. Raises WorkbookError for cells of several models, a missing reference, a margin not above 0.
    """
    models = sorted({cell.model for cell in cells})
    if len(models) != 1:
        raise WorkbookError(f"cells of {len(models)} models ({', '.join(models)}): choose for one model at a time")
    reference = find(cells, dimension=max(cell.dimension for cell in cells), setting="float32", search="exact")
    candidates = [cell for cell in cells if cell.latency]
    if not candidates:
        raise WorkbookError("no search that one would run was measured: add default-ef or rescore-x2 to the searches")
    n = len(reference.judgements)
    choosing, reporting = statistics.halves(n, seed)
    result = partial(Recommendation, reference, margin, n)
    if result([]).obstacle:
        return result([])
    judged = [_verdicts([cell], reference, choosing, margin)[0] for cell in candidates]
    eligible = [cell for cell, one in zip(candidates, judged, strict=True) if statistics.keeps(one.difference, margin)]
    if not eligible:
        open_ = [(one.queries_needed, cell) for one, cell in zip(judged, candidates, strict=True)
                 if one.queries_needed]  # fmt: skip
        needed, closest = min(open_, key=itemgetter(0), default=(None, None))
        return result([], closest, needed and 2 * needed)
    picks = {role: min(eligible, key=wanted) for role, wanted in ROLES.items()}
    distinct = _distinct(picks.values())
    reported = dict(zip(map(id, distinct), _verdicts(distinct, reference, reporting, margin), strict=True))
    return result([_choice(role, cell, reported[id(cell)], margin) for role, cell in picks.items()])


def table(choices: Sequence[Choice], weights: pd.DataFrame) -> pd.DataFrame:
    """The choices as people read them, with what `footprint.weigh` gave; the difference is of the reporting half."""
    gigabytes = weights.set_index(["dimension", "setting", "part"])["value"] if len(weights) else {}
    shown = []
    for choice in choices:
        cell = choice.cell
        sizes = {part: gigabytes.get((cell.dimension, cell.setting, part)) for part in footprint.PARTS}
        latency = Times.of([1000 * seconds for seconds in cell.latency])
        shown.append(
            {
                "choice": choice.role, "setting": cell.setting, "dimensions": cell.dimension, "search": cell.search,
                "NDCG@10 difference": str(choice.difference), "verdict": f"{_state(choice)}, {choice.verdict}",
                "queries to decide": f"{choice.queries_needed:,}" if choice.queries_needed else "",
                **{f"GB per million: {part}": "" if size is None else f"{size:.3f}" for part, size in sizes.items()},
                "latency (ms)": statistics.with_range(*latency[:3], ".2f"),
            }
        )  # fmt: skip
    return pd.DataFrame(shown)


def rows(corpus: str, found: Recommendation) -> pd.DataFrame:
    """The reporting half's difference of each choice, in the long format of `results`, with its verdict as a note."""
    return pd.DataFrame(
        {
            "corpus": corpus, "model": choice.cell.model, "dimension": choice.cell.dimension,
            "setting": choice.cell.setting, "search": choice.cell.search, "key": choice.cell.key,
            "scenario": choice.role, "part": statistics.REPORTED, "margin": found.margin,
            "note": f"{_state(choice)}, {choice.verdict} (margin {found.margin:g})",
            "metric": "ndcg@10 difference", **choice.difference._asdict(),
        }
        for choice in found.choices
    )  # fmt: skip


def summary(found: Recommendation) -> str:
    """The recommendation in sentences, a line for each choice; if there is none, what would decide."""
    if found.obstacle:
        return found.obstacle
    chose = found.queries // 2
    against = f"the whole float32 vector ({found.reference.dimension} dimensions) searched exactly, {found.score:.3f}"
    if not found.choices:
        text = f"The {chose} queries that choose show nothing within {found.margin:g} of {against}."
        if found.closest is None:
            return f"{text} Each candidate is shown to be worse: only a wider margin allows one."
        return (
            f"{text} Closest to a decision is {_name(found.closest)}: {found.queries_needed:,} queries in all "
            f"might decide it, or a wider margin."
        )
    lines = [
        f"NDCG@10 against {against}, margin {found.margin:g}: "
        f"{chose} queries chose, the other {found.queries - chose} report."
    ]
    for cell in _distinct(choice.cell for choice in found.choices):
        same = [choice for choice in found.choices if choice.cell is cell]
        roles = ", ".join(choice.role for choice in same).capitalize()
        lines.append(
            f"{roles}: {_name(cell)}, {cell.bytes_per_vector:,} bytes per vector, {1000 * _latency(cell):.2f} ms; "
            f"difference {same[0].difference}: {_conclusion(same[0])}."
        )
    return "\n".join(lines)


def _verdicts(cells: Sequence[Cell], reference: Cell, queries: np.ndarray, margin: float) -> list[Verdict]:
    baseline = reference.judgements["ndcg@10"].iloc[queries]
    return statistics.verdicts([(cell.judgements["ndcg@10"].iloc[queries], baseline) for cell in cells], margin)


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    return list({id(cell): cell for cell in cells}.values())


def _choice(role: str, cell: Cell, reported: Verdict, margin: float) -> Choice:
    needed, difference = reported.queries_needed, reported.difference
    confirmed = statistics.keeps(difference, margin)
    return Choice(role, cell, difference, statistics.told(difference, margin), confirmed, needed and 2 * needed)


def _state(choice: Choice) -> str:
    return CONFIRMED if choice.confirmed else UNCONFIRMED


def _latency(cell: Cell) -> float:
    return Times.of(cell.latency).value


def _name(cell: Cell) -> str:
    return f"{cell.setting}, {cell.dimension} dimensions, {cell.search}"


def _conclusion(choice: Choice) -> str:
    said = f"{_state(choice)}, {choice.verdict}"
    if choice.confirmed or choice.verdict.startswith(WORSE):
        return f"{said} on the queries that report"
    return f"{said}; {choice.queries_needed:,} queries in all might decide, or a wider margin"
