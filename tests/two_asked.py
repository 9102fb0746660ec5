"""Searches made up for the tests: weak ones gain by being asked again, which the signals know but for noise."""

import numpy as np
import pandas as pd
from workbook.on_demand.signals import SIGNALS
from workbook.on_demand.two_searches import Asked


def made_up(n=200, noise=0.0, gain=0.1, seed=0):
    """Query q00, q01, ... the weakest first: the weaker half gains 2 * `gain` of NDCG@10 each, the rest nothing."""
    random = np.random.default_rng(seed)
    index = pd.Index([f"q{number:03}" for number in range(n)], name="query")
    strength = np.arange(n) + noise * n * random.standard_normal((len(SIGNALS), n))
    first = pd.Series(random.uniform(0.2, 0.5, n), index)
    second = first + np.where(np.arange(n) < n // 2, 2 * gain, 0)
    return Asked(pd.DataFrame(dict(zip(SIGNALS, strength, strict=True)), index), first, second)
