"""Sentences, computed: how many queries need attention, and what few of them buy."""

from two_asked import made_up
from workbook.on_demand import told
from workbook.on_demand.two_searches import Twice

LABELS = "trained + BM25 (dbsf)", "all-MiniLM-L6-v2 + BM25 (dbsf)"


def measured(n=1_000, **how):
    return Twice("made up", LABELS, made_up(n, **how), None, {}, "key")


def test_as_many_as_leave_less_than_the_margin():
    assert told.needed(measured(), 0.021) == (
        "On made up, MiniLM is needed for 40% of 1,000 queries: trained static + BM25 with those asked again loses "
        "less than 0.021 of NDCG@10 against MiniLM + BM25. To show that takes 45%."
    )


def test_where_the_first_search_is_as_good_none_is_needed():
    text = told.needed(measured(gain=0.001), 0.01)
    assert "needed for 0% of 1,000 queries: trained static + BM25 alone loses less than 0.01" in text
    assert text.endswith("To show that takes 0%.")


def test_few_queries_show_nothing():
    assert told.needed(measured(40), 0.01).endswith("40 queries are too few to show that.")


def test_what_a_share_buys():
    found = measured()
    ends = f"NDCG@10 {found.queries.first.mean():.3f} to {found.queries.second.mean():.3f}"
    assert told.buys(found, 0.25) == (
        f"Asking 25% of the queries again buys 50% of what MiniLM + BM25 adds to trained static + BM25 ({ends})"
    )
    assert told.buys(measured(gain=-0.1), 0.3).startswith("MiniLM + BM25 is not shown to find more than trained static")
