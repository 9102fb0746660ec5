"""How many queries need attention, from the rows of a run of one corpus and of several."""

import numpy as np
import pytest
from published_run import publish, publish_several
from workbook.conclusions import across, asked_again
from workbook.evaluation import statistics
from workbook.names import COMBINED
from workbook.on_demand import curve, over_corpora
from workbook.runs import outcomes

FIRST, SECOND = "static query + BM25 (dbsf)", "slow + BM25 (dbsf)"
SIX = {f"set{number}": {FIRST: 0.66 + 0.005 * number} for number in range(6)}  # 0.040 to 0.015 below SECOND
SHARES = ("10% asked again", "30% asked again", "50% asked again")


@pytest.fixture
def six(data, monkeypatch):
    publish_several(monkeypatch, SIX)
    return outcomes.conclude("many")


def test_one_corpus_has_its_sentence(data, monkeypatch):
    publish(monkeypatch)
    found = outcomes.conclude("made")
    [told] = found.needed
    # all lose about 0.035 on average: 0.01 of it may be left
    assert told.startswith("On made, slow is needed for 70% of 100 queries: static query + BM25 with those asked again")
    assert not [each for each in found.compared if each.question == asked_again.QUESTION]


def test_several_corpora_have_one_sentence_and_what_each_needs(six):
    [told] = six.needed
    twice = asked_again.measured(six.asked)[FIRST, SECOND]
    needed = {
        corpus: curve.needed([each.value for each in curve.losses(one.queries, one.queries.weakness)], 0.01)
        for corpus, one in twice.items()
    }
    assert list(needed) == list(SIX) and len(set(needed.values())) > 2
    assert told.startswith(f"On 6 corpora, slow is needed for {np.mean(list(needed.values())):.0%} of 600 queries (")
    assert all(f"{needed[corpus]:.0%} on {corpus}" in told for corpus in ("set0", "set5"))


def test_what_is_lost_at_each_share_is_compared_on_all(six):
    own = [each for each in six.compared if each.question == asked_again.QUESTION]
    assert [each.one for each in own] == [f"{FIRST}, {share}" for share in SHARES] and {e.other for e in own} == {
        SECOND
    }
    losses = [each.overall.effect.value for each in own]
    assert losses == sorted(losses) and losses[-1] < 0, "asking more loses less"
    one = asked_again.measured(six.asked)[FIRST, SECOND]["set3"].queries
    after = curve.after(one, curve.weakest(one.weakness, 0.3))
    assert own[1].effects["set3"] == statistics.mean_difference(after, one.second)
    assert asked_again.QUESTION in {answer.question for answer in six.answers}
    assert across.rows(own, six.asked)["method"].nunique() == 3


def test_gains_have_a_row_for_each_choice_and_corpus(six):
    gains = asked_again.gains(asked_again.measured(six.asked))
    table = asked_again.table(gains)
    assert list(table) == list(SHARES)
    where = [(place, choice) for _, place, choice in table.index]
    assert where[0] == (over_corpora.ALL, COMBINED) and (over_corpora.ALL, over_corpora.LEFT_OUT) in where
    assert {place for place, choice in where if choice == COMBINED} == {
        over_corpora.ALL,
        over_corpora.MEAN,
        over_corpora.NEW,
        *SIX,
    }
    assert table.loc[("static query + BM25", "set0", COMBINED), SHARES[2]].startswith("0.5")


def test_a_run_without_notebook_07_says_nothing(data, monkeypatch):
    publish(monkeypatch, without=("07_when_to_pay_attention",))
    found = outcomes.conclude("made")
    assert found.needed == [] and asked_again.gains(asked_again.measured(found.asked)).empty


def test_a_measurement_that_is_gone_is_left_out(data, monkeypatch):
    publish(monkeypatch)
    for file in (data / "results" / "attention").iterdir():
        file.unlink()
    assert outcomes.conclude("made").needed == []
