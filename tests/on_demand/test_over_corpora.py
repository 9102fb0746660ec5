"""What asking again buys over corpora, by hand; and that the corpus in question does not choose its signals."""

import numpy as np
import pytest
from two_asked import made_up
from workbook.names import COMBINED
from workbook.on_demand import combined, over_corpora
from workbook.on_demand.signals import SIGNALS


def with_one_signal(name, seed, n=200):
    """Searches of which this one signal alone knows anything."""
    found, random = made_up(n, seed=seed), np.random.default_rng(seed)
    noise = {other: random.permutation(n) for other in SIGNALS if other != name}
    return found._replace(signals=found.signals.assign(**noise))


def test_corpora_count_alike_and_one_that_loses_counts_against_it():
    found = [made_up(100, gain=0.2), made_up(400, gain=0.1), made_up(50, gain=-0.1)]
    weaknesses = [each.weakness for each in found]
    half, quarter = (over_corpora.bought(found, weaknesses, share) for share in (0.5, 0.25))
    assert half.value == pytest.approx(1) and half.standard_error == pytest.approx(0, abs=1e-9)
    assert quarter.value == pytest.approx(0.5) and quarter.low < 0.5 < quarter.high and quarter.n == 3


def test_the_error_is_the_spread_over_samples():
    values, errors = [], []
    for seed in range(40):
        found = []
        for place, gain in enumerate((0.1, 0.05, 0.2)):
            each, random = (
                made_up(150, noise=0.6, seed=3 * seed + place, gain=gain),
                np.random.default_rng([seed, place]),
            )
            found.append(each._replace(second=each.second + random.normal(0, 0.2, 150)))
        part = over_corpora.bought(found, [each.weakness for each in found], 0.3)
        values.append(part.value)
        errors.append(part.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.35)


def test_the_best_signal_of_each_ranking_is_found():
    assert over_corpora.best_alone([with_one_signal("rarest word", seed) for seed in range(3)])[1] == "rarest word"
    assert over_corpora.best_alone([with_one_signal("agreement with BM25", seed) for seed in range(3)])[2] == (
        "agreement with BM25"
    )


def test_a_corpus_does_not_choose_its_own_signals(monkeypatch):
    found = {"a": with_one_signal("rarest word", 0), "b": with_one_signal("number of words", 1)}
    seen = []
    real = over_corpora.best_alone
    monkeypatch.setattr(over_corpora, "best_alone", lambda others: seen.append(others) or real(others))
    rows = over_corpora.signals(found)
    assert [[*each] for each in seen] == [[found["b"]], [found["a"]]]
    assert set(rows["variant"]) == {COMBINED, over_corpora.LEFT_OUT, *SIGNALS} and len(rows) == 3 * 12
    left_out = rows[(rows["variant"] == over_corpora.LEFT_OUT) & (rows["asked"] == 0.5)]["value"].iloc[0]
    by_hand = [real([found["b"]]), real([found["a"]])]
    own = [combined.weakness(e.signals, e.signals, n) for e, n in zip(found.values(), by_hand, strict=True)]
    assert left_out == over_corpora.bought(list(found.values()), own, 0.5).value


def test_gains_are_of_corpora_that_attention_helps_on():
    found = {"a": made_up(noise=0.2), "b": made_up(noise=0.2, seed=1), "worse": made_up(gain=-0.1)}
    rows = over_corpora.gains(found)
    assert set(rows["corpus"].dropna()) == {"a", "b"} and set(rows["part"].dropna()) == {over_corpora.MEAN}
    of_three = over_corpora.gains({**found, "c": made_up(noise=0.2, seed=2)})
    new = of_three[of_three["part"] == over_corpora.NEW]
    assert len(new) == 3 and (new["low"] < new["value"]).all() and (new["n"] == 3).all()
    assert over_corpora.gains({"worse": found["worse"]}).empty
