"""What asking some of the queries again buys: NDCG@10 against the share of queries that are, the weakest first."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval
from workbook.names import BEST, CHANCE, COMBINED
from workbook.on_demand.two_searches import Asked

SHARES = tuple(twentieths / 20 for twentieths in range(21))
TOLD = (0.1, 0.3, 0.5)  # shares whose part of the gain is told


def weakest(weakness: pd.Series, share: float) -> pd.Series:
    """Which queries are asked again if a share is, the weakest first: 1 or 0 for each.

    Of equally weak ones at the end, each is asked by the share of them that there is room for: what a draw would give
    on average.
    """
    room = share * len(weakness)
    order = weakness.rank(method="min", ascending=False) - 1  # how many are weaker
    equal = weakness.groupby(weakness).transform("size")
    return ((room - order) / equal).clip(0, 1)


def after(found: Asked, asked: pd.Series) -> pd.Series:
    """NDCG@10 of each query when those `asked` (0 to 1 of each) are searched again."""
    return (found.first + asked * found.gain).where(asked < 1, found.second)  # without a rounding error


def bought(found: Asked, asked: pd.Series) -> Interval:
    """The share of all that attention adds which asking those again buys, with its standard error.

    Not a number where attention adds nothing. The error is that of a ratio of means (delta method).
    """
    part, gain = asked * found.gain, found.gain
    share = statistics.share_kept(part, gain)
    if share.n < statistics.MIN_QUERIES or not gain.mean():
        return share
    error = (part - share.value * gain).std(ddof=1) / len(gain) ** 0.5 / abs(gain.mean())
    return share._replace(standard_error=float(error))


def at_random(found: Asked, share: float) -> pd.Series:
    """NDCG@10 of each query if a share were drawn by chance, on average."""
    return after(found, pd.Series(share, found.gain.index))


def at_best(found: Asked, share: float) -> pd.Series:
    """NDCG@10 of each query if those were asked that gain most: what no signal can know. One that loses is not."""
    return after(found, weakest(found.gain, share) * (found.gain > 0))


def rows(found: Asked, weakness: pd.Series, shares: Sequence[float] = SHARES) -> pd.DataFrame:
    """The curve in the long format of `results`: a row for each choice of queries, share `asked` and metric.

    The weakest are chosen, or by CHANCE, or as the BEST choice would be. NDCG@10 of all queries, and its paired
    difference from asking all of them with attention; of each choice, the intervals hold together.
    """
    choices = {
        COMBINED: lambda share: after(found, weakest(weakness, share)),
        CHANCE: lambda share: at_random(found, share),
        BEST: lambda share: at_best(found, share),
    }
    made = []
    for name, choose in choices.items():
        scores = [choose(share) for share in shares]
        for share, own, lost in zip(shares, scores, differences(found, scores, shares), strict=True):
            facts = {"variant": name, "asked": share}
            made.append({**facts, "metric": "ndcg@10", **statistics.mean(own)._asdict()})
            made.append({**facts, "metric": "ndcg@10 difference", **lost._asdict()})
    return pd.DataFrame(made)


def gains(found: Asked, choices: Mapping[str, pd.Series], shares: Sequence[float] = TOLD) -> pd.DataFrame:
    """The share of the gain that is bought, in the long format of `results`, by weaknesses that each choose queries."""
    return pd.DataFrame(
        [
            {"variant": name, "asked": share, "metric": "gain bought", **bought(found, weakest(own, share))._asdict()}
            for name, own in choices.items() for share in shares
        ]
    )  # fmt: skip


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Rows of `gains` as people read them: a row for each choice, a column for each share."""
    texts: dict[str, dict[str, str]] = {}
    for _, row in found.iterrows():
        texts.setdefault(row["variant"], {})[f"{row['asked']:.0%} asked again"] = Interval.of(row).text(2)
    return pd.DataFrame.from_dict(texts, orient="index")


def losses(found: Asked, weakness: pd.Series, shares: Sequence[float] = SHARES) -> list[Interval]:
    """Paired differences from asking every query with attention, when the weakest are asked: for each share."""
    return differences(found, [after(found, weakest(weakness, share)) for share in shares], shares)


def differences(found: Asked, scores: Sequence[pd.Series], shares: Sequence[float]) -> list[Interval]:
    """Paired differences of the scores at each share from asking every query with attention: none where all were."""
    all_of = [share == 1 and own.equals(found.second) for own, share in zip(scores, shares, strict=True)]
    pairs = [(own, found.second) for own, asked in zip(scores, all_of, strict=True) if not asked]
    measured, n = iter(statistics.differences(pairs)), len(found.second)
    return [Interval(0.0, 0.0, 0.0, n, 0.0) if asked else next(measured) for asked in all_of]


def needed(lost: Sequence[float], margin: float, shares: Sequence[float] = SHARES) -> float:
    """The smallest share from which on less than the margin is lost, given the loss, below 0, at each of the shares.

    Given lower ends of intervals instead, the smallest share at which that is shown.
    """
    short = [place for place, each in enumerate(lost) if not each > -margin]
    return shares[min(max(short, default=-1) + 1, len(shares) - 1)]
