"""When to ask again, set before anybody has judged: on known items, to a share of queries or to a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.errors import WorkbookError
from workbook.evaluation import statistics
from workbook.evaluation.statistics import MIN_QUERIES, Interval
from workbook.on_demand import combined, curve
from workbook.on_demand.two_searches import Asked, Twice


class Rule(NamedTuple):
    """Ask again what is as weak as `limit` or weaker among earlier searches, whose signals are in `among`."""

    limit: float
    among: pd.DataFrame

    def asks(self, found: pd.DataFrame) -> pd.Series:
        """Whether each search of `signals.of` is asked again."""
        return self.weakness(found) >= self.limit

    def weakness(self, found: pd.DataFrame) -> pd.Series:
        return combined.weakness(found, self.among)

    def why(self, found: pd.DataFrame) -> list[str]:
        """For each search the signal that says most for asking again, in words."""
        ranks = pd.DataFrame(
            {name: combined.lower(found[name].to_numpy(), self.among[name].to_numpy()) for name in combined.CHOSEN}
        )
        known = np.isfinite(found[list(combined.CHOSEN)]).all(axis=1)
        told = zip(ranks.idxmax(axis=1), ranks.max(axis=1), known, strict=True)
        return [
            f"{name}: lower than {rank:.0%} of earlier searches" if there else "no word that the table of vectors knows"
            for name, rank, there in told
        ]  # fmt: skip


def by_share(found: pd.DataFrame | None, share: float) -> Rule:
    """Ask again for a share of known items, given the signals of their first searches; they need no second one.

    Raises WorkbookError for too few of these.
    """
    if found is None or len(found) < MIN_QUERIES:
        raise WorkbookError(
            f"{0 if found is None else len(found)} known items are too few to set a threshold by ({MIN_QUERIES} are "
            f"the least): give threshold, the weakness from 0 to 1 from which on a query is asked again"
        )
    weakness = combined.weakness(found, found).sort_values(ascending=False)
    count = round(share * len(weakness))
    return Rule(float(weakness.iloc[count - 1]) if count else np.inf, found)


def by_loss(items: Asked | None, most: float) -> Rule:
    """Ask again for as few known items as lose less than `most` of NDCG@10 against asking all of them again.

    Raises WorkbookError for too few of these.
    """
    if items is None:
        return by_share(None, 0)
    n, weakness = len(items.gain), items.weakness
    shares = [count / n for count in range(n + 1)]
    lost = [(curve.after(items, curve.weakest(weakness, share)) - items.second).mean() for share in shares]
    return by_share(items.signals, curve.needed(lost, most, shares))


def rules(
    measured: Twice, share: float, most: float, given: float = 0.0, seed: int = 0
) -> dict[str, tuple[Rule, Asked]]:  # fmt: skip
    """Rules that need no judgement, by what they were set to, each with the queries to report on.

    Set on known items to a share of these or to a loss below `most`; and to a share of half of the queries, drawn by
    seed, which the other half reports on. Or the one rule that is `given`, if that is above 0.
    """
    found, items = measured.queries, measured.items
    if given:
        return {"threshold as given": (Rule(given, (items or found).signals), found)}
    made = {
        f"{share:.0%} of known items": (by_share(items and items.signals, share), found),
        f"known items lose less than {most:g}": (by_loss(items, most), found),
    }
    earlier, later = (
        Asked(*(each.iloc[places] for each in found)) for places in statistics.halves(len(found.gain), seed)
    )
    if len(earlier.gain) >= MIN_QUERIES:
        made[f"{share:.0%} of earlier queries"] = by_share(earlier.signals, share), later
    return made


def rows(measured: Twice, set_to: Mapping[str, tuple[Rule, Asked]]) -> pd.DataFrame:
    """What each of `rules` does on judged queries, in the long format of `results`, its name as `scenario`.

    The share it asks again, the share of a gain that this buys, and the difference from asking all.
    """
    made = []
    for name, (rule, found) in set_to.items():
        asks = rule.asks(found.signals).astype(float)
        told = {"queries asked again": statistics.mean(asks)}
        if found.added.low > 0:
            told["gain bought"] = curve.bought(found, asks)
        told["ndcg@10 difference"] = statistics.mean_difference(curve.after(found, asks), found.second)
        if np.isfinite(rule.limit):
            told["weakness asked from"] = Interval(rule.limit, np.nan, np.nan, len(rule.among))
        made += [
            {**measured.names, "scenario": name, "metric": metric, **each._asdict()} for metric, each in told.items()
        ]
    return pd.DataFrame(made)
