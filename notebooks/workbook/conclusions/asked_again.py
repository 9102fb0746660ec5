"""Attention on demand, from the rows of a run: how many queries need it, and what is lost if few are asked again."""

from collections.abc import Mapping

import pandas as pd

from workbook.conclusions import across
from workbook.conclusions.across import Comparison
from workbook.conclusions.asked import Asked
from workbook.evaluation import results, statistics
from workbook.names import plain
from workbook.on_demand import curve, over_corpora, told, two_searches
from workbook.on_demand.two_searches import Twice

QUESTION = "What is lost if few queries are asked again with attention?"
LOST = "ndcg@10 difference"

Found = dict[tuple[str, str], dict[str, Twice]]  # by the labels of both searches, by corpus


def measured(abouts: Mapping[str, Asked]) -> Found:
    """What notebook 07 searched twice, read back by the keys in its rows; what is not kept any more is left out."""
    found: Found = {}
    for corpus, about in abouts.items():
        for key in dict.fromkeys(about.of("07", LOST)["key"].dropna()):
            if record := results.read("attention", key):
                twice = two_searches.read(corpus, record)
                found.setdefault(twice.methods, {})[corpus] = twice
    return found


def compare(found: Found) -> list[Comparison]:
    """Asking the weakest queries again against asking all with attention, for each first search and share."""
    made = []
    for (first, second), each in found.items():
        for share in curve.TOLD:
            effects = {corpus: _lost(twice, share) for corpus, twice in each.items()}
            made.append(across.comparison(QUESTION, f"{first}, {share:.0%} asked again", second, effects))
    return made


def needed(found: Found, margin: float) -> list[str]:
    """How many queries need attention: a sentence for each first search, see `told.needed`; over corpora, of all."""
    return [
        told.needed(*each.values(), margin) if len(each) == 1 else _over(first, second, each, margin)
        for (first, second), each in found.items()
    ]  # fmt: skip


def gains(found: Found) -> pd.DataFrame:
    """What asking again buys over corpora by each choice of queries, and on each corpus, as rows of `results`.

    Of first searches that were measured on several.
    """
    made = []
    for (first, second), each in found.items():
        asked = {corpus: twice.queries for corpus, twice in each.items()}
        for rows in (over_corpora.signals(asked), over_corpora.gains(asked)) if len(asked) > 1 else ():
            made.append(rows.assign(method=first, against=second))
    return pd.concat(made) if made else pd.DataFrame()


def table(gains: pd.DataFrame) -> pd.DataFrame:
    """These rows as people read them: a row for each choice of queries and each corpus, a column for each share."""
    made: dict[tuple[str, str, str], dict[str, str]] = {}
    for _, row in gains.iterrows():
        where = row["part"] if pd.notna(row["part"]) else row["corpus"]
        text = statistics.Interval.of(row).text(2)
        made.setdefault((plain(row["method"]), where, row["variant"]), {})[f"{row['asked']:.0%} asked again"] = text
    return pd.DataFrame.from_dict(made, orient="index")


def _lost(twice: Twice, share: float) -> statistics.Interval:
    asked = twice.queries
    return statistics.mean_difference(curve.after(asked, curve.weakest(asked.weakness, share)), asked.second)


def _over(first: str, second: str, each: Mapping[str, Twice], margin: float) -> str:
    shares, sizes = {}, {corpus: len(twice.queries.gain) for corpus, twice in each.items()}
    for corpus, twice in each.items():
        lost = curve.losses(twice.queries, twice.queries.weakness)
        shares[corpus] = curve.needed([own.value for own in lost], margin)
    total, asked = sum(sizes.values()), sum(share * sizes[corpus] for corpus, share in shares.items())
    by_share: dict[float, list[str]] = {}
    for corpus, share in sorted(shares.items(), key=lambda one: one[1]):
        by_share.setdefault(share, []).append(corpus)
    on_each = "; ".join(f"{share:.0%} on {', '.join(corpora)}" for share, corpora in by_share.items())
    one, other = plain(first), plain(second)
    return (
        f"On {len(each)} corpora, {other.partition(' + ')[0]} is needed for {asked / total:.0%} of {total:,} queries "
        f"({on_each}): {one} then loses less than {margin:g} of NDCG@10 against {other}, on average over each corpus's "
        f"queries."
    )
