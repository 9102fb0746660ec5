"""What asking some of the queries again costs: milliseconds a query, on average and for the slowest twentieth."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from workbook.evaluation.stopwatch import Times
from workbook.on_demand.two_searches import Twice

SLOWEST = 95  # percentile
NEVER, SOME, ALL = "first search alone", "asked again on demand", "transformer for every query"


class Cost(NamedTuple):
    """Milliseconds of one query, from text to documents: on average and at the 95th percentile, over the repeats."""

    mean: Times
    slowest: Times


def of(measured: Twice, asked: pd.Series) -> Cost:
    """Where each query is searched first and its signals read, and those `asked` (0 to 1 of each) searched again."""
    seconds, timed = measured.seconds, asked.to_numpy()[: measured.seconds["first"].shape[1]]
    first = seconds["first"] + seconds["signals"]
    return _cost(np.concatenate([first, first + seconds["second"]], axis=1), np.concatenate([1 - timed, timed]))


def always(measured: Twice) -> Cost:
    """Where every query is searched by the transformer alone."""
    second = measured.seconds["second"]
    return _cost(second, np.ones(second.shape[1]))


def never(measured: Twice) -> Cost:
    """Where none is."""
    first = measured.seconds["first"]
    return _cost(first, np.ones(first.shape[1]))


def rows(measured: Twice, asked: pd.Series) -> pd.DataFrame:
    """What asking no query again costs, asking some, and the transformer for all, in the long format of `results`."""
    made = []
    costs = {NEVER: (0.0, never(measured)), SOME: (asked.mean(), of(measured, asked)), ALL: (1.0, always(measured))}
    for name, (share, each) in costs.items():
        facts = {**measured.names, "variant": name, "asked": share}
        made.append({**facts, "metric": "mean query ms", **each.mean._asdict()})
        made.append({**facts, "metric": "slowest query ms", **each.slowest._asdict()})
    return pd.DataFrame(made)


def _cost(seconds: np.ndarray, weights: np.ndarray) -> Cost:
    """Of seconds (repeats, queries) that come as often as their weights say."""
    ms = 1000 * seconds
    slow = [float(np.percentile(each, SLOWEST, weights=weights, method="inverted_cdf")) for each in ms]
    return Cost(Times.of(np.average(ms, axis=1, weights=weights)), Times.of(slow))
