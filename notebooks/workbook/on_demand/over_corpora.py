"""What asking again buys over several corpora, also by signals that were chosen without the corpus in question."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from workbook.evaluation import meta_analysis
from workbook.evaluation.statistics import NORMAL, Interval
from workbook.names import COMBINED
from workbook.on_demand import combined, curve
from workbook.on_demand.curve import TOLD
from workbook.on_demand.signals import BY_BOTH, BY_VECTORS, BY_WORDS
from workbook.on_demand.two_searches import Asked

LEFT_OUT = "signals chosen on the other corpora"
ALL, MEAN, NEW = "all corpora", "mean over corpora", "a new corpus"


def bought(found: Sequence[Asked], weaknesses: Sequence[pd.Series], share: float) -> Interval:
    """What a share of each corpus's queries buys of all that attention adds over the corpora, which count alike.

    A corpus on which attention loses counts against it. The error is that of a ratio of means (delta method); the `n`
    counts corpora.
    """
    parts = [curve.weakest(own, share) * each.gain for each, own in zip(found, weaknesses, strict=True)]
    whole = np.mean([each.gain.mean() for each in found])
    ratio = float(np.mean([part.mean() for part in parts]) / whole)
    spread = [(part - ratio * each.gain).var(ddof=1) / len(part) for each, part in zip(found, parts, strict=True)]
    error = math.sqrt(sum(spread)) / len(found) / abs(whole)
    return Interval(ratio, ratio - NORMAL * error, ratio + NORMAL * error, len(found), error)


def best_alone(found: Sequence[Asked]) -> list[str]:
    """Of each ranking the signal that alone buys the most on these corpora, over the shares TOLD of."""

    def worth(name: str) -> float:
        own = [combined.weakness(each.signals, each.signals, [name]) for each in found]
        return sum(bought(found, own, share).value for share in TOLD)

    return [max(names, key=worth) for names in (BY_VECTORS, BY_WORDS, BY_BOTH)]


def signals(found: Mapping[str, Asked]) -> pd.DataFrame:
    """What each choice of queries buys over all corpora, in the long format of `results`, by signals as `variant`.

    Which signals are combined was chosen on such corpora. LEFT_OUT was not: for each corpus, the others chose.
    """
    asked = list(found.values())
    choices = {name: [combined.choices(each.signals)[name] for each in asked] for name in [COMBINED, *asked[0].signals]}
    elsewhere = [best_alone([other for other in asked if other is not each]) for each in asked]
    choices[LEFT_OUT] = [combined.weakness(e.signals, e.signals, own) for e, own in zip(asked, elsewhere, strict=True)]
    return pd.DataFrame(
        {"part": ALL, "variant": name, "asked": share, "metric": "gain bought", **bought(asked, own, share)._asdict()}
        for name, own in choices.items() for share in TOLD
    )  # fmt: skip


def gains(found: Mapping[str, Asked]) -> pd.DataFrame:
    """What the combined signals buy on each corpus that attention is shown to help on, and over these, as `signals`.

    Over two or more of them: their mean by random effects, and over three or more what a new one may show.
    """
    made = []
    helped = {corpus: each for corpus, each in found.items() if each.added.low > 0}
    for share in TOLD:
        names = {"variant": COMBINED, "asked": share, "metric": "gain bought"}
        own = {name: curve.bought(each, curve.weakest(each.weakness, share)) for name, each in helped.items()}
        made += [{**names, "corpus": corpus, **each._asdict()} for corpus, each in own.items()]
        if len(own) > 1:
            overall = meta_analysis.pool(list(own.values()))
            made.append({**names, "part": MEAN, **overall.effect._asdict()})
            low, high = overall.prediction
            new = {"part": NEW, "value": overall.effect.value, "low": low, "high": high, "n": overall.effect.n}
            made += [{**names, **new}] if len(own) > 2 else []
    return pd.DataFrame(made)
