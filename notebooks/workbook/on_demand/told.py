"""What was found, in sentences computed from measurements: how many queries need attention, what few of them buy."""

from workbook.names import plain
from workbook.on_demand import curve
from workbook.on_demand.two_searches import Twice


def needed(measured: Twice, margin: float) -> str:
    """How many of a corpus's queries need attention: the fewest that, asked again, leave less than the margin lost.

    On average, and as far as the interval shows it.
    """
    first, second = map(plain, measured.methods)
    lost = curve.losses(measured.queries, measured.queries.weakness)
    average, surely = (
        curve.needed(own, margin) for own in ([each.value for each in lost], [each.low for each in lost])
    )
    n, asked = lost[0].n, "with those asked again" if average else "alone"
    shown = f"To show that takes {surely:.0%}." if surely < 1 else f"{n:,} queries are too few to show that."
    return (
        f"On {measured.corpus}, {second.partition(' + ')[0]} is needed for {average:.0%} of {n:,} queries: "
        f"{first} {asked} loses less than {margin:g} of NDCG@10 against {second}. {shown}"
    )


def buys(measured: Twice, share: float) -> str:
    """What asking a share of the queries again buys; or that there is nothing to buy."""
    first, second = map(plain, measured.methods)
    found = measured.queries
    if not found.added.low > 0:
        return f"{second} is not shown to find more than {first}: {found.added.text(3, '+')}"
    part = curve.bought(found, curve.weakest(found.weakness, share))
    return (
        f"Asking {share:.0%} of the queries again buys {part.value:.0%} of what {second} adds to {first} "
        f"(NDCG@10 {found.first.mean():.3f} to {found.second.mean():.3f})"
    )
