"""Each claim beside what was measured: on the same kind of work, and on equal terms."""

import pandas as pd
import pytest
from workbook.conclusions import speed_claims
from workbook.corpora import beir_sets, corpora
from workbook.embedding import encoders
from workbook.errors import WorkbookError
from workbook.experiments import footprint
from workbook.experiments.ingest import Job
from workbook.experiments.ingest_runs import Run


def ratio(words, max_tokens, against, value):
    names = {"metric": "speed-up", "words": words, "max_tokens": max_tokens, "threads": 2, "against": against}
    return {**names, "value": value, "low": value - 1, "high": value + 1}


RATIOS = pd.DataFrame([
    ratio(8, 256, "small", 60),
    ratio(8, 256, "small (int8)", 30),
    ratio(8, None, "small", 61),
    ratio(8, None, "tiny-transformer", 400),
    ratio(2000, 256, "small", 90),
    ratio(2000, 256, "small (bfloat16)", 45),
    ratio(2000, None, "tiny-transformer", 500),
    {"metric": "times smaller", "part": "parameters", "value": 14.5},
    {"metric": "times smaller", "part": "files", "value": 2.0},
])  # fmt: skip


def run(n, words_once, seconds):
    job = Job("sample", n, "tiny-static", 64, words_once=words_once)
    parts = {"encode": seconds, "upsert": 0.0, "index": 0.0}
    return Run("sample", "tiny-static", job, parts, {}, seconds, {}, {}, [], [], 0, "key")


@pytest.fixture
def large():
    return encoders.load("tiny-transformer")


def test_each_claim_has_value_work_and_source():
    read = speed_claims.read()
    assert read.index.tolist() == ["queries", "documents", "size", "minutes"]
    assert read["value"].tolist() == [397, 500, 15, 7.5]


def test_a_claim_without_its_source_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "claims.csv"
    file.write_text(speed_claims.FILE.read_text().rsplit(",", 1)[0] + ",\n")
    monkeypatch.setattr(speed_claims, "FILE", file)
    with pytest.raises(WorkbookError, match="every claim needs"):
        speed_claims.read()


def test_each_claim_is_answered_with_its_own_rows(large):
    runs = [run(1_000, True, 1), run(2_000, True, 90), run(2_000, False, 150)]
    table = speed_claims.table(RATIOS, runs, large.name, large.name).set_index("claim")
    same, equal = (table[column] for column in ("measured here on the same kind of work", "on equal terms"))
    assert same.iloc[0] == "400 [399, 401] times, 8 words, tiny-transformer"
    assert equal.iloc[0] == "30 [29, 31] times, 8 words, small (int8)", "the fastest variant, not the first"
    assert same.iloc[1] == "500 [499, 501] times, 2,000 words, tiny-transformer"
    assert equal.iloc[1] == "45 [44, 46] times, 2,000 words, small (bfloat16)"
    assert same.iloc[2].startswith("14.5 times")
    assert equal.iloc[2].startswith("2.0 times")
    assert same.iloc[3].startswith("2.50 [2.50, 2.50] minutes, 2,000 documents, the library's tokenization")
    assert equal.iloc[3].startswith("1.50 [1.50, 1.50] minutes, 2,000 documents, each word tokenized once")
    assert table["source"].notna().all()


def test_a_rival_with_the_same_limit_is_answered_too(large):
    alike = RATIOS.assign(max_tokens=RATIOS["max_tokens"].where(RATIOS["against"] != large.name, 512))
    answered = [speed_claims.table(each, [run(1_000, True, 60)], large.name, large.name) for each in (RATIOS, alike)]
    assert answered[0].iloc[:2, 2].tolist() == answered[1].iloc[:2, 2].tolist()


def test_what_was_not_run_is_said(large):
    table = speed_claims.table(RATIOS, [run(1_000, True, 60)], large.name, large.name)
    assert table["measured here on the same kind of work"].iloc[3] == "not run"


def test_minutes_are_shown_only_beside_as_many_documents():
    [(label, seconds)] = speed_claims.minutes(beir_sets.BEIR["trec-covid"].documents).items()
    assert label.startswith("Qdrant")
    assert seconds == 450
    assert speed_claims.minutes(10_000) == {}


def test_sizes_are_of_real_models(data, large):
    static = encoders.load("tiny-static")
    rows = footprint.times_smaller(corpora.load("sample"), static, encoders.load("tiny-transformer"), large)
    parameters, files = rows["value"]
    assert parameters == pytest.approx(large.parameters() / static.parameters()), "64 dimensions are fewer than 256"
    assert files == pytest.approx(encoders.megabytes(large) / encoders.megabytes(static))
    assert rows["part"].tolist() == ["parameters", "files"] and set(rows["against"]) == {"tiny-transformer"}
    assert rows["dimension"].tolist()[0] == 64
