"""A threshold from known items, by share or by loss; and what it does on queries that are worded otherwise."""

import numpy as np
import pytest
from two_asked import made_up
from workbook.errors import WorkbookError
from workbook.on_demand import combined, threshold
from workbook.on_demand.two_searches import Asked, Twice


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 1])
def test_the_share_that_is_asked_for_is_got_on_the_items_themselves(share):
    items = made_up(noise=0.3)
    rule = threshold.by_share(items.signals, share)
    assert rule.asks(items.signals).mean() == pytest.approx(share, abs=0.006), "but for equal ones"


def test_a_new_search_is_judged_by_the_items():
    items = made_up()
    rule = threshold.by_share(items.signals, 0.3)
    weak = made_up(50).signals - 100  # all of them below most items
    assert rule.asks(weak).all() and not rule.asks(made_up(50).signals + 150).any()
    assert rule.weakness(weak).equals(combined.weakness(weak, items.signals))


def test_the_fewest_that_lose_less():
    items = made_up()  # 100 of 200 gain 0.2 each: 0.1 on average
    for most, share in ((0.0001, 0.5), (0.02, 0.4), (0.11, 0), (1, 0)):
        assert threshold.by_loss(items, most).asks(items.signals).mean() == pytest.approx(share, abs=0.006)


def test_a_query_without_a_known_word_is_asked_again_whatever_the_rule():
    items = made_up()
    unknown = items.signals[:1] * 0 - np.inf
    for rule in (threshold.by_share(items.signals, 0), threshold.by_loss(items, 1), threshold.Rule(2.0, items.signals)):
        assert rule.asks(unknown).all()
    assert threshold.by_share(items.signals, 0.3).why(unknown) == ["no word that the table of vectors knows"]


def test_why_names_the_lowest_signal():
    items = made_up()
    found = items.signals[150:151].assign(**{"top fused score": 19.5})
    assert threshold.by_share(items.signals, 0.3).why(found) == ["top fused score: lower than 90% of earlier searches"]


@pytest.mark.parametrize("items", [None, made_up(9)])
def test_without_known_items_the_threshold_must_be_given(items):
    for rule, given in ((threshold.by_share, items and items.signals), (threshold.by_loss, items)):
        with pytest.raises(WorkbookError, match=r"known items are too few to set a threshold by .* give threshold"):
            rule(given, 0.3)


def test_rows_say_what_was_asked_again_and_bought():
    items, found = made_up(), made_up()
    measured = Twice("made up", ("static", "transformer"), found, items, {}, "key")
    rows = threshold.rows(measured, {"a quarter": (threshold.by_share(items.signals, 0.25), found)}).set_index("metric")
    assert rows["value"].to_dict() == pytest.approx(
        {"queries asked again": 0.25, "gain bought": 0.5, "ndcg@10 difference": -0.05, "weakness asked from": 0.7525}
    )
    assert set(rows["scenario"]) == {"a quarter"} and (rows["n"] == 200).all()


def test_rules_are_set_on_known_items_and_on_the_other_half_of_the_queries():
    found = made_up(noise=0.3)
    measured = Twice("made up", ("static", "transformer"), found, made_up(100), {}, "key")
    made = threshold.rules(measured, 0.3, 0.01)
    assert list(made) == ["30% of known items", "known items lose less than 0.01", "30% of earlier queries"]
    rule, later = made["30% of earlier queries"]
    assert not {*rule.among.index} & {*later.first.index} and len(rule.among) + len(later.first) == 200
    assert rule.asks(later.signals).mean() == pytest.approx(0.3, abs=0.1)
    assert all(len(queries.first) == 200 for _, queries in list(made.values())[:2])


def test_few_queries_set_no_rule_and_a_given_one_needs_no_items():
    few = Asked(*(each[:5] for each in made_up()))
    measured = Twice("made up", ("static", "transformer"), few, made_up(100), {}, "key")
    assert len(threshold.rules(measured, 0.3, 0.01)) == 2
    [(rule, queries)] = threshold.rules(measured._replace(items=None), 0.3, 0.01, given=0.5).values()
    assert rule.limit == 0.5 and rule.among is few.signals and queries is few
    with pytest.raises(WorkbookError, match="0 known items are too few"):
        threshold.rules(measured._replace(items=None), 0.3, 0.01)
