"""What was found, in sentences computed from measurements: how many queries need attention, what few of them buy."""

from workbook.evaluation import statistics
from workbook.evaluation.statistics import Interval
from workbook.on_demand import curve
from workbook.on_demand.two_searches import Twice


def needed(measured: Twice, margin: float) -> str:
    """How many of a corpus's queries need attention: the fewest that, asked again, leave less than the margin lost.

    On average, and as far as the interval shows it.
    """
    first, second = measured.methods
    lost = curve.losses(measured.queries, measured.queries.weakness)
    average, shown = (curve.needed(own, margin) for own in ([each.value for each in lost], [each.low for each in lost]))
    return (
        f"On {measured.corpus}, {second} is needed for {average:.0%} of {lost[0].n:,} queries: asking those again, "
        f"{first} loses less than {margin:g} of NDCG@10 on average. {_surely(shown, lost[0].n)}"
    )


def gain(measured: Twice) -> Interval:
    """What attention adds, paired by query."""
    return statistics.mean_difference(measured.queries.second, measured.queries.first)


def buys(measured: Twice, share: float) -> str:
    """What asking a share of the queries again buys; or that there is nothing to buy."""
    first, second = measured.methods
    added, found = gain(measured), measured.queries
    if not added.low > 0:
        return f"{second} is not shown to find more than {first}: {added.text(3, '+')}"
    part = curve.bought(found, curve.weakest(found.weakness, share))
    scores = found.first.mean(), found.second.mean()
    return (
        f"Asking {share:.0%} of the queries again buys {part.value:.0%} of what {second} adds to {first} "
        f"(NDCG@10 {scores[0]:.3f} to {scores[1]:.3f})"
    )


def _surely(share: float, n: int) -> str:
    return f"To be sure of that takes {share:.0%}." if share < 1 else f"{n:,} queries are too few to be sure of that."
