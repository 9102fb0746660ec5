"""Others' numbers: each with its source, laid beside rows of a run; claims, on equal terms."""

import pandas as pd
import pytest
from workbook import names
from workbook.conclusions import published
from workbook.corpora import beir_sets, corpora
from workbook.embedding import encoders, models
from workbook.errors import WorkbookError
from workbook.experiments import footprint
from workbook.experiments.ingest import Job
from workbook.experiments.ingest_runs import Run
from workbook.figures import tables
from workbook.qdrant import quantization

MINILM = {"corpus": "scifact", "model": "all-MiniLM-L6-v2", "setting": "float32", "search": "exact"}
KEY = ["corpus", "model", "setting", "search"]
SERIES = "Search Tuning"  # Qdrant's articles, with fused rankings


def ours(value, low=0.6, high=0.7, **facts):
    return {
        **MINILM,
        "dimension": 384,
        "metric": "ndcg@10",
        "value": value,
        "low": low,
        "high": high,
        "n": 300,
        **facts,
    }


def compared(*rows):
    return published.compare(pd.DataFrame(rows)).set_index(KEY).sort_index(kind="stable")


def row_of(table, publisher="MTEB", **facts):
    own = table.loc[[tuple({**MINILM, **facts}[name] for name in KEY)]]
    own = own[own["publisher"].isin([publisher]) | own["publisher"].isna()]
    assert len(own) == 1
    return own.iloc[0]


def test_the_published_values_are_about_things_the_workbook_knows():
    table = published.read_scores()
    assert set(table["corpus"]) <= set(corpora.BEIR)
    assert set(table["model"]) <= {*models.MODELS, "BM25"}
    assert set(table["setting"]) <= {*quantization.SETTINGS, "sparse", "fused"}
    assert set(zip(table["setting"], table["search"], strict=True)) == set(published.SEARCHED)
    assert not table.duplicated([*KEY, "publisher"]).any()
    assert table["value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.64508, 0.60, 0.69, "same"),
        (0.64550, 0.60, 0.69, "same"),
        (0.63, 0.60, 0.69, "in our interval"),
        (0.55, 0.50, 0.60, "outside our interval"),
    ],
)
def test_a_published_value_is_the_same_or_in_our_interval_or_outside(value, low, high, verdict):
    row = row_of(compared(ours(value, low, high)))
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(value - 0.64508)


def test_only_whole_vectors_and_whole_corpora_are_compared():
    of_a_part = [{name: "some"} for name in ("method", "variant", "part", "scenario")]
    row = row_of(compared(ours(0.1, dimension=32), *(ours(0.2, **facts) for facts in of_a_part), ours(0.64508)))
    assert row["value"] == 0.64508


def test_what_two_notebooks_measured_is_compared_once():
    assert row_of(compared(ours(0.64508), ours(0.64508)))["verdict"] == "same"


def test_what_was_not_run_says_so():
    table = compared(ours(0.64508))
    others = table[table.index != tuple(MINILM.values())]
    assert (others["verdict"] == "not run").all() and others["value"].isna().all()
    assert len(table) == len(published.read_scores())


def test_rows_of_several_corpora_each_find_their_own():
    table = compared(ours(0.64508), ours(0.3, 0.28, 0.33, corpus="nfcorpus"), ours(0.9, corpus="mine"))
    assert row_of(table)["verdict"] == "same"
    assert row_of(table, corpus="nfcorpus")["difference"] == pytest.approx(0.3 - 0.31594)
    assert set(table["value"].dropna()) == {0.64508, 0.3}, "a corpus that nobody published anything for"


def test_a_form_of_ours_that_nobody_published_is_a_row_without_a_verdict():
    binary = {"setting": "binary", "search": "default-ef"}
    table = compared(
        ours(0.64508), ours(0.58, **binary), ours(0.4, model="static-distilled"), ours(0.5, search="ef-32")
    )
    assert row_of(table, **binary)[["value", "verdict"]].tolist() == [0.58, ""]
    assert len(table) == len(published.read_scores()) + 1, "neither models nor searches that nobody has published"


def test_bm25_of_a_notebook_is_compared_with_the_published():
    words = ours(0.6834, 0.64, 0.72, model="", method="BM25", dimension=None, setting="", search="")
    table = compared(
        ours(0.6), words, {**words, "method": "a + BM25 (rrf)", "value": 0.9}, {**words, "metric": "mrr@10"}
    )
    found = table.loc[("scifact", "BM25", "sparse", "exact")]
    assert found["publisher"].tolist() == ["MTEB", "Anserini"]
    assert found["verdict"].tolist() == ["in our interval"] * 2 and set(found["value"]) == {0.6834}


def test_bm25_with_the_length_in_tokens_is_compared_with_those_who_counted_tokens():
    words = ours(0.6834, model="", method=names.BM25_TOKENS, dimension=None, setting="", search="")
    row = row_of(compared(ours(0.64508), words), SERIES, model="BM25", setting="sparse", search="tokens")
    assert row["value"] == 0.6834 and row["theirs"] == 0.6886


@pytest.mark.parametrize(("how", "theirs"), [("rrf", 0.7175), ("dbsf", 0.732)])
def test_a_model_fused_with_bm25_is_compared_by_its_fusion(how, theirs):
    both = ours(0.72, method=names.with_bm25(MINILM["model"], how), dimension=None)
    elsewhere = [
        {**both, "value": 0.1, "method": f"{both['method']}, one bit"},
        {**both, "value": 0.2, "setting": "binary"},
        {**both, "value": 0.3, "model": "static-distilled"},
    ]
    row = row_of(compared(*elsewhere, both, ours(0.64508)), SERIES, setting="fused", search=how)
    assert row["value"] == 0.72 and row["difference"] == pytest.approx(0.72 - theirs)


def test_fused_scores_are_no_reference_of_a_model_alone():
    assert published.scores("scifact")["all-MiniLM-L6-v2"] == 0.64508
    assert published.scores("arguana")["BM25"] == 0.49276


def test_the_table_has_a_row_for_each_form_and_each_publisher_beside_ours():
    model = {"model": "static-retrieval-mrl-en-v1", "dimension": 1024}
    rows = pd.DataFrame([ours(0.443932, 0.42, 0.46, corpus="arguana", **model), ours(0.64508)])
    table = published.scores_table(rows).set_index(["corpus", "vectors", "model"])
    assert table.index.is_unique and len(table) == len(published.read_scores()[KEY].drop_duplicates())
    assert table.loc[("arguana", "float32, exact", model["model"])].to_dict() == {
        "here": "0.44393 [0.42000, 0.46000]", "queries": "300",
        "the article": "0.44393", "against the article": "+0.00000, same",
        "MTEB": "0.44410", "against MTEB": "\N{MINUS SIGN}0.00017, same", "Anserini": "", "against Anserini": "",
        SERIES: "", f"against {SERIES}": "",
    }  # fmt: skip
    other = table.loc[("trec-covid", "one bit, HNSW, not rescored", model["model"])]
    assert other[["here", "queries", "the article", "against the article"]].tolist() == [
        "not run",
        "",
        "0.44185",
        "not run",
    ]
    order = list(dict.fromkeys(table.index.get_level_values("corpus")))
    assert order == ["scifact", "nfcorpus", "arguana", "trec-covid"]


def test_the_table_is_shown_with_the_rows_that_it_compares(data):
    rows = published.comparable(pd.DataFrame([ours(0.64508, key="k1"), ours(0.4, corpus="mine", key="k2")]))
    shown = tables.sourced(published.scores_table(rows), rows).hide(axis="index").to_html()
    assert "1 rows: ndcg@10; keys k1" in shown and "0.64508 [0.60000, 0.70000]" in shown


def test_nothing_of_ours_leaves_the_published_values():
    assert set(compared(ours(0.5, corpus="mine"))["verdict"]) == {"not run"}
    assert (published.scores_table(pd.DataFrame([ours(0.5, corpus="mine")]))["here"] == "not run").all()


HEADER = "corpus,model,setting,search,value,publisher,source\n"
PUBLISHED = """known,a,float32,exact,0.5,one,first
known,a,float32,exact,0.6,two,second
known,b,binary,default-ef,0.4,one,first
known,BM25,sparse,exact,0.7,one,first
other,c,float32,exact,0.3,one,first
"""


@pytest.fixture
def published_file(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "SCORES", tmp_path / "published.csv")
    published.SCORES.write_text(HEADER + PUBLISHED)
    return published.SCORES


def test_scores_are_the_first_of_each_model_without_binary(published_file):
    assert published.scores("known") == {"a": 0.5, "BM25": 0.7}
    assert published.scores("other") == {"c": 0.3}


def test_a_corpus_nobody_published_anything_for_has_no_scores(published_file):
    assert published.scores("sample") == {}


@pytest.mark.parametrize("row", ["known,a,float32,exact,0.5,one,", "known,a,float32,exact,0.5,,first"])
def test_a_published_value_without_its_source_is_refused(published_file, row):
    published_file.write_text(f"{HEADER}{row}\n")
    with pytest.raises(
        WorkbookError, match=r"published\.csv: every published value needs its publisher and its source"
    ):
        published.scores("known")


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
    busy = {"encode": seconds / 2, "upsert": 0.0}
    return Run("sample", "tiny-static", job, parts, busy, seconds, {}, {}, [], [], 0, "key", words=80 * n)


@pytest.fixture
def large():
    return encoders.load("tiny-transformer")


def test_each_claim_has_value_work_and_source():
    read = published.read_claims()
    assert read.index.tolist() == ["queries", "documents", "size", "minutes", "passages"]
    assert read["value"].tolist() == [397, 500, 15, 7.5, 15_700]


def test_a_claim_without_its_source_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "claims.csv"
    file.write_text(published.CLAIMS.read_text().rsplit(",", 1)[0] + ",\n")
    monkeypatch.setattr(published, "CLAIMS", file)
    with pytest.raises(WorkbookError, match="every claim needs"):
        published.read_claims()


def test_each_claim_is_answered_with_its_own_rows(large):
    runs = [run(1_000, True, 1), run(2_000, True, 90), run(2_000, False, 150)]
    table = published.claims_table(RATIOS, runs, large.name, large.name).set_index("claim")
    same, equal = (table[column] for column in ("measured here on the same kind of work", "on equal terms"))
    assert same.iloc[0] == "400 [399, 401] times, 8 words, tiny-transformer"
    assert equal.iloc[0] == "30 [29, 31] times, 8 words, small (int8)", "the fastest variant, not the first"
    assert same.iloc[1] == "500 [499, 501] times, 2,000 words, tiny-transformer"
    assert equal.iloc[1] == "45 [44, 46] times, 2,000 words, small (bfloat16)"
    assert same.iloc[2].startswith("14.5 times")
    assert equal.iloc[2].startswith("2.0 times")
    assert same.iloc[3].startswith("2.50 [2.50, 2.50] minutes, 2,000 documents, the library's tokenization")
    assert equal.iloc[3].startswith("1.50 [1.50, 1.50] minutes, 2,000 documents, each word tokenized once")
    assert same.iloc[4] == "27 [27, 27] a second of 80 words, 2,000 documents, the library's tokenization, sample"
    assert equal.iloc[4] == "44 [44, 44] a second of 80 words, 2,000 documents, each word tokenized once, sample"
    assert table["source"].notna().all()


def test_a_rival_with_the_same_limit_is_answered_too(large):
    alike = RATIOS.assign(max_tokens=RATIOS["max_tokens"].where(RATIOS["against"] != large.name, 512))
    answered = [
        published.claims_table(each, [run(1_000, True, 60)], large.name, large.name) for each in (RATIOS, alike)
    ]
    assert answered[0].iloc[:2, 2].tolist() == answered[1].iloc[:2, 2].tolist()


def test_what_was_not_run_is_said(large):
    table = published.claims_table(RATIOS, [run(1_000, True, 60)], large.name, large.name)
    assert table["measured here on the same kind of work"].iloc[3:].tolist() == ["not run", "not run"]


def test_minutes_are_shown_only_beside_as_many_documents():
    [(label, seconds)] = published.minutes(beir_sets.BEIR["trec-covid"].documents).items()
    assert label.startswith("Qdrant")
    assert seconds == 450
    assert published.minutes(10_000) == {}


def test_sizes_are_of_real_models(data, large):
    static = encoders.load("tiny-static")
    rows = footprint.times_smaller(corpora.load("sample"), static, encoders.load("tiny-transformer"), large)
    parameters, files = rows["value"]
    assert parameters == pytest.approx(large.parameters() / static.parameters()), "64 dimensions are fewer than 256"
    assert files == pytest.approx(encoders.megabytes(large) / encoders.megabytes(static))
    assert rows["part"].tolist() == ["parameters", "files"] and set(rows["against"]) == {"tiny-transformer"}
    assert rows["dimension"].tolist()[0] == 64
