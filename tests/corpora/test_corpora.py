"""Corpora: what is read, what is refused, and with which words."""

import dataclasses
import json
import math
import os
import re
import shutil
from pathlib import Path

import pytest
from workbook.corpora import beir_sets, corpora, lines, pairs
from workbook.corpora.corpora import Document
from workbook.corpora.defects import Defects
from workbook.errors import WorkbookError
from workbook.evaluation import evaluation
from workbook.training import limits
from written_files import write_beir

BEIR_DATA_DIR = os.environ.get("BEIR_DATA_DIR")  # read here: the `data` fixture removes it


def counts(corpus):
    return len(corpus.documents), len(corpus.queries), sum(map(len, corpus.qrels.values()))


def append(file, line):
    with file.open("a", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        stream.write(f"{line}\n")


def test_sample_counts():
    corpus = corpora.load("sample")
    assert counts(corpus) == (62, 25, 105)
    assert {grade for grades in corpus.qrels.values() for grade in grades.values()} == {0, 1, 2}


def test_a_folder_is_loaded_by_its_path(beir_folder):
    corpus = corpora.load(str(beir_folder))
    assert corpus.name == "tiny"
    assert corpus.document_ids == ["d1", "d2", "d3"]
    assert corpus.document_texts == ["Rivers Water flows to the sea.", "Banks lend money.", "Snow It is cold."]
    assert corpus.query_texts == ["where does water go", "loan"]
    assert corpus.qrels == {"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1}}


def test_only_judged_queries_are_kept(beir_folder):
    append(beir_folder / "queries.jsonl", '{"_id": "q3", "text": "never judged"}')
    assert list(corpora.load(str(beir_folder)).queries) == ["q1", "q2"]


def test_line_separators_inside_a_text_do_not_cut_the_line(beir_folder):
    text = "one\u2028two\x85three"
    append(beir_folder / "corpus.jsonl", json.dumps({"_id": "d4", "text": text}, ensure_ascii=False))
    assert corpora.load(str(beir_folder)).documents["d4"].text == text


OUT, ONCE = "1 row was left out: ", "1 row that is there twice was taken once"


@pytest.mark.parametrize(
    ("place", "line", "complaint", "told"),
    [
        ("corpus.jsonl:4", '{"_id": "d4", "text": "cut', "not valid JSON", f"{OUT}not valid JSON"),
        ("corpus.jsonl:4", '\ufeff{"_id": "d4", "text": "x"}', "not valid JSON", f"{OUT}not valid JSON"),
        ("corpus.jsonl:4", '{"_id": "\udcff"}', "not valid UTF-8", f"{OUT}not UTF-8"),
        ("queries.jsonl:3", '{"_id": "\udcff"}', "not valid UTF-8", f"{OUT}not UTF-8"),
        ("qrels/test.tsv:5", "q1\t\udcff\t1", "not valid UTF-8", f"{OUT}not UTF-8"),
        ("corpus.jsonl:4", '["d4", "a list"]', "each line needs", f"{OUT}not an object"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": "no text"}', "each line needs", f"{OUT}without an id or a text"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": 7}', "each line needs", f"{OUT}without an id or a text"),
        ("corpus.jsonl:4", '{"_id": 4, "text": "x"}', "each line needs", f"{OUT}without an id or a text"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": "", "text": " "}', "document 'd4' is empty", f"{OUT}empty"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": "", "text": null}', "document 'd4' is empty", f"{OUT}empty"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": NaN, "text": NaN}', "document 'd4' is empty", f"{OUT}empty"),
        ("queries.jsonl:3", '{"_id": "q3", "text": "\\t"}', "query 'q3' is empty", f"{OUT}empty"),
        ("corpus.jsonl:4", '{"_id": "d2", "text": "Banks lend money."}', "document id 'd2' is there twice", ONCE),
        ("queries.jsonl:3", '{"_id": "q1", "text": "where does water go"}', "query id 'q1' is there twice", ONCE),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "\\ud800"}', "half a surrogate", f"{OUT}half a surrogate pair"),
        ("corpus.jsonl:4", '{"_id": "\\ud800", "text": "x"}', "half a surrogate", f"{OUT}half a surrogate pair"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": ["a"], "text": "x"}', '"title" must be a string',
         f"{OUT}a title that is no text"),
        ("corpus.jsonl:4", '{"_id": "", "text": "x"}', "id '' is empty", f"{OUT}without an id"),
        ("corpus.jsonl:4", '{"_id": "a\\u0000", "text": "x"}', "the id 'a\\x00' holds a tab or a line end (or a zero",
         f"{OUT}an id that qrels cannot hold"),
        ("queries.jsonl:3", '{"_id": "a\\tb", "text": "x"}', "the id 'a\\tb' holds a tab",
         f"{OUT}an id that qrels cannot hold"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "text": "y"}', "a key is there twice in _id, text, text",
         f"{OUT}not usable JSON"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "n": %s}' % ("9" * 5_000), "not usable JSON (Exceeds the limit",
         f"{OUT}not usable JSON"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "n": %s' % ("[" * 10_000), "not usable JSON (maximum recursion",
         f"{OUT}not usable JSON"),
        ("qrels/test.tsv:5", "q1 0 d2 1", "tab separated", f"{OUT}not three fields"),
        *(("qrels/test.tsv:5", f"q1\td2\t{grade}", "a grade must be a whole number, 1,000 at most",
           f"{OUT}a grade that is no whole number") for grade in ("0.5", "--1", "²", 2**31, f"-{'9' * 5_000}")),
        ("qrels/test.tsv:5", "q9\td1\t1", "query 'q9', which queries.jsonl does not have",
         "1 judgement was left out: its query is not there"),
        ("qrels/test.tsv:5", "q1\td1\t2", "'q1' and document 'd1' are judged twice",
         "1 judgement that is there twice was taken once"),
    ],
)  # fmt: skip
def test_a_small_defect_is_told_or_strictly_refused_and_what_is_scored_stays_the_same(
    beir_folder, place, line, complaint, told
):
    before, (file, number) = corpora.load(str(beir_folder)), place.split(":")
    assert before.defects == ()
    append(beir_folder / file, line)
    after = corpora.load(str(beir_folder))
    assert after.notes == list(after.defects) == [f"{(beir_folder / file).name}: {told} (line {number})"]
    assert (after, after.sha256) == (before, before.sha256)
    assert corpora.unlabelled(str(beir_folder)) == before.documents
    with pytest.raises(WorkbookError, match=f"{re.escape(str(beir_folder / place))}: .*{re.escape(complaint)}"):
        corpora.load(str(beir_folder), strict=True)


def test_a_judged_document_that_is_not_there_cannot_be_found_and_counts(beir_folder):
    append(beir_folder / "qrels" / "test.tsv", "q2\td9\t1")
    corpus = corpora.load(str(beir_folder))
    assert corpus.qrels["q2"] == {"d2": 1, "d9": 1}
    assert corpus.defects == (
        "test.tsv: 1 judgement names a document that is not there: it stays, as one that cannot be found (line 5)",
    )
    best = evaluation.judge(corpus, [["d1"], ["d2"]])["ndcg@10"]
    assert best.tolist() == [1, pytest.approx(1 / (1 + 1 / math.log2(3)))]
    assert [pair.document for pair in pairs.labelled(corpus)] == ["d1", "d2"]
    assert limits.overlap(corpus, corpus)["same document"].tolist() == [True, True]
    with pytest.raises(WorkbookError, match=r"test\.tsv:5: .*document 'd9', which corpus\.jsonl does not have"):
        corpora.load(str(beir_folder), strict=True)


def test_a_judgement_of_an_empty_document_stays(beir_folder):
    append(beir_folder / "corpus.jsonl", '{"_id": "d4", "text": ""}')
    append(beir_folder / "qrels" / "test.tsv", "q2\td4\t1")
    corpus = corpora.load(str(beir_folder))
    assert "d4" not in corpus.documents
    assert corpus.qrels["q2"] == {"d2": 1, "d4": 1}
    assert [defect.partition(" (")[0] for defect in corpus.defects] == [
        "corpus.jsonl: 1 row was left out: empty",
        "test.tsv: 1 judgement names a document that is not there: it stays, as one that cannot be found",
    ]


def test_a_query_without_a_text_is_left_out_with_its_judgements(beir_folder):
    append(beir_folder / "queries.jsonl", '{"_id": "q3", "text": " "}')
    append(beir_folder / "qrels" / "test.tsv", "q3\td1\t1")
    corpus = corpora.load(str(beir_folder))
    assert list(corpus.queries) == list(corpus.qrels) == ["q1", "q2"]
    assert corpus.defects == (
        "queries.jsonl: 1 row was left out: empty (line 3)",
        "test.tsv: 1 judgement was left out: its query is not there (line 5)",
    )


@pytest.mark.parametrize(
    ("place", "lines", "complaint"),
    [
        ("corpus.jsonl:4", ['{"_id": "d1", "text": "again"}'], "document id 'd1' is there twice, with another text"),
        ("queries.jsonl:3", ['{"_id": "q1", "text": "again"}'], "query id 'q1' is there twice, with another text"),
        ("qrels/test.tsv:5", ["q1\td1\t1"], "'q1' and document 'd1' are judged twice, at 2 and at 1"),
        ("corpus.jsonl:4", ['{"_id": "d4", "text": ""}'] + [f'{{"_id": "e{n}", "text": " "}}' for n in range(5)],
         "document 'd4' is empty; remove it or give it a text (6 of 9 are like it: too many to go on without)"),
        ("corpus.jsonl:4", ['{"contents": "x"}'] * 3, "each line needs \"_id\" and \"text\""),
        ("qrels/test.tsv:5", ["q1\td8\t1", "q1\td9\t1", "q2\td9\t1"], "document 'd8', which corpus.jsonl does"),
        ("qrels/test.tsv:5", ["q8\td1\t1", "q9\td1\t1", "q9\td2\t1"], "query 'q8', which queries.jsonl does"),
    ],
)  # fmt: skip
def test_a_structural_defect_stops_with_its_line(beir_folder, place, lines, complaint):
    for line in lines:
        append(beir_folder / place.partition(":")[0], line)
    with pytest.raises(WorkbookError, match=f"{re.escape(str(beir_folder / place))}: .*{re.escape(complaint)}"):
        corpora.load(str(beir_folder))


def test_a_file_cut_short_is_no_small_defect(beir_folder):
    with (beir_folder / "corpus.jsonl").open("ab") as stream:
        stream.write(b'{"_id": "d4", "text": "caf\xc3')
    with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: not valid UTF-8"):
        corpora.load(str(beir_folder))


ARGUMENTS = {"a1": "Tax sugar.", "a2": "Sugar is a choice.", "a3": "Ban cars."}


@pytest.mark.parametrize("name", ["arguana", "debates"])
@pytest.mark.parametrize(
    ("queries", "passed_over"),
    [
        ({"a1": "Tax  sugar.", "b9": "Tax it."}, True),
        ({"a1": "Tax sugar.", "a3": "Ban cars."}, True),
        ({"a1": "What is taxed?", "a3": "Who drives?"}, False),  # the same numbers, by chance
        ({"a1": "Tax sugar.", "a3": "Who drives?"}, False),
        ({"b1": "Tax sugar."}, False),
        ({"a1": "Tax sugar.", "a2": "Sugar is a choice."}, False),  # one that is judged to be its own answer
    ],
)
def test_a_query_is_passed_over_where_it_is_a_document_whatever_the_folders_name(tmp_path, name, queries, passed_over):
    documents = {key: ("", text) for key, text in ARGUMENTS.items()}
    corpus = corpora.load(write_beir(tmp_path / name, documents, queries, {query: {"a2": 1} for query in queries}))
    assert corpus.drop_identical == passed_over
    shared = len(set(queries) & set(ARGUMENTS))
    told = f"{shared} of the queries are documents themselves: each is passed over in its own results"
    assert corpus.notes == [told] * passed_over


@pytest.mark.slow
@pytest.mark.skipif(not BEIR_DATA_DIR, reason="BEIR_DATA_DIR is not set: no BEIR sets on this machine")
@pytest.mark.parametrize(
    ("name", "split", "expected", "passed_over"),
    [
        ("scifact", "test", (5183, 300, 339), False), ("scifact", "train", (5183, 809, 919), False),
        ("nfcorpus", "test", (3633, 323, 12334), False), ("nfcorpus", "train", (3633, 2590, 110575), False),
        ("arguana", "test", (8674, 1406, 1406), True), ("checkthat2020", "test", (10375, 199, 199), False),
        ("checkthat2020", "train", (10375, 800, 801), False), ("cosqa", "test", (6267, 500, 500), False),
        ("icecat", "test", (19406, 135, 3668), False),
    ],
)  # fmt: skip
def test_real_sets_load_by_name_and_by_path(monkeypatch, name, split, expected, passed_over):
    monkeypatch.setattr(beir_sets, "BEIR_URL", "http://127.0.0.1:9/{name}.zip")
    corpus = corpora.load(str(Path(BEIR_DATA_DIR) / name), split)
    assert (counts(corpus), corpus.drop_identical) == (expected, passed_over)
    if corpora.is_registered(name):
        assert dataclasses.replace(corpora.load(name, split), name=corpus.name) == corpus
        assert corpora.load(name, split).defects == corpus.defects


@pytest.mark.slow
@pytest.mark.skipif(not BEIR_DATA_DIR, reason="BEIR_DATA_DIR is not set: no BEIR sets on this machine")
def test_arguanas_judgements_of_absent_documents_stay_and_are_told():
    corpus = corpora.load("arguana")
    absent = [key for grades in corpus.qrels.values() for key in grades if key not in corpus.documents]
    assert len(absent) == 5
    assert corpus.notes == [
        "test.tsv: 5 judgements name documents that are not there: they stay, as ones that cannot be found "
        "(lines 180, 833, 1026, 1345, 1384)",
        "1,298 of the queries are documents themselves: each is passed over in its own results",
    ]
    with pytest.raises(WorkbookError, match=r"test\.tsv:180: judgement for document 'test-free-speech-debate-yfsd"):
        corpora.load("arguana", strict=True)


@pytest.mark.slow
@pytest.mark.skipif(not BEIR_DATA_DIR, reason="BEIR_DATA_DIR is not set: no BEIR sets on this machine")
def test_scifact_and_nfcorpus_are_what_they_were():
    assert [corpora.load(name).sha256[:12] for name in ("scifact", "nfcorpus")] == ["1396d770c0e4", "ac1bb829c552"]
    assert corpora.load("scifact").notes == corpora.load("nfcorpus").notes == []


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("corpus.jsonl", None, "is missing"),
        ("queries.jsonl", None, "is missing"),
        ("qrels/test.tsv", None, "is missing"),
        ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\n", "no judgements"),
        ("qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\td1\t0\n", "no document is relevant"),
    ],
)
def test_a_bad_file_is_refused_by_name(beir_folder, file, content, complaint):
    (beir_folder / file).unlink() if content is None else (beir_folder / file).write_bytes(content)
    with pytest.raises(WorkbookError, match=f"{re.escape(str(beir_folder / file))}.*{complaint}"):
        corpora.read_beir(beir_folder, "tiny")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(beir_folder):
    before = corpora.load(str(beir_folder))
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (beir_folder / name).write_bytes(b"\xef\xbb\xbf" + (beir_folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert corpora.load(str(beir_folder)) == before


def test_a_line_without_end_is_refused_before_it_fills_the_memory(beir_folder, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 2**20)
    append(beir_folder / "corpus.jsonl", "[" + "0," * 2**20)
    with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: a line of more than 1 MB; write one row a line"):
        corpora.load(str(beir_folder))


@pytest.mark.parametrize("name", ["scifakt", "python-docs:many", "no/such/folder"])
@pytest.mark.parametrize("read", [corpora.load, corpora.unlabelled])
def test_an_unknown_name_lists_the_known_ones(name, read):
    known = "give one of sample, python-docs, python-docs:N, .*scifact.*folder"
    with pytest.raises(WorkbookError, match=f"unknown corpus '{name}': {known}"):
        read(name)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("corpus.jsonl", "lend", "owe"),
        ("corpus.jsonl", "Snow", "Ice"),
        ("queries.jsonl", "loan", "debt"),
        ("qrels/test.tsv", "q1\td1\t2", "q1\td1\t1"),
        ("qrels/test.tsv", "q1\td3\t0\n", ""),
    ],
)
def test_the_hash_is_of_all_the_content_and_of_nothing_else(beir_folder, tmp_path, file, old, new):
    copy = shutil.copytree(beir_folder, tmp_path / "elsewhere")
    before = corpora.load(str(beir_folder)).sha256
    assert corpora.load(str(copy)).sha256 == before
    (copy / file).write_text((copy / file).read_text().replace(old, new))
    assert corpora.load(str(copy)).sha256 != before


def test_the_hash_knows_whether_a_query_may_find_itself():
    sample = corpora.load("sample")
    assert dataclasses.replace(sample, drop_identical=True).sha256 != sample.sha256


def test_beirs_own_empty_documents_are_kept(beir_folder):
    append(beir_folder / "corpus.jsonl", '{"_id": "d4", "title": "", "text": ""}')
    corpus = corpora.read_beir(beir_folder, "tiny", may_be_empty=True, defects=Defects())
    assert corpus.documents["d4"].full == ""
    assert corpus.defects == ("corpus.jsonl: 1 document stays as in BEIR: empty (line 4)",)
    with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: document 'd4' is empty"):
        corpora.read_beir(beir_folder, "tiny", may_be_empty=True)


def test_the_documents_to_train_on_are_the_corpus_own():
    assert corpora.unlabelled("sample") == corpora.load("sample").documents


def test_documents_are_read_without_queries_or_judgements(beir_folder):
    documents = corpora.load(str(beir_folder)).documents
    (beir_folder / "queries.jsonl").unlink()
    shutil.rmtree(beir_folder / "qrels")
    assert corpora.unlabelled(str(beir_folder)) == documents
    assert documents["d1"] == Document("Rivers", "Water flows to the sea.")


def test_beirs_own_empty_documents_are_not_trained_on(beir_folder, data):
    append(beir_folder / "corpus.jsonl", '{"_id": "d4", "title": " ", "text": ""}')
    shutil.copytree(beir_folder, data / "beir" / "scifact")
    assert list(corpora.unlabelled("scifact")) == ["d1", "d2", "d3"]
    assert list(corpora.unlabelled(str(beir_folder))) == ["d1", "d2", "d3"]


def test_an_empty_document_does_not_take_the_place_of_one_with_its_id(tmp_path):
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"_id": "d1", "text": "full"}\n{"_id": "d1", "text": ""}\n')
    with pytest.raises(WorkbookError, match=r"corpus.jsonl:2: document id 'd1' is there twice"):
        corpora.read_documents(file, may_be_empty=True)


def test_the_order_of_the_files_decides_nothing(beir_folder):
    first = corpora.load(str(beir_folder))
    for name in ("corpus.jsonl", "queries.jsonl"):
        lines = (beir_folder / name).read_text(encoding="utf-8").splitlines()
        (beir_folder / name).write_text("\n".join(reversed(lines)), encoding="utf-8")
    head, *judged = (beir_folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    (beir_folder / "qrels" / "test.tsv").write_text("\n".join([head, *reversed(judged)]), encoding="utf-8")
    again = corpora.load(str(beir_folder))
    assert again.sha256 == first.sha256 and list(again.queries) == list(first.queries) == ["q1", "q2"]
    assert list(corpora.unlabelled(str(beir_folder))) == ["d1", "d2", "d3"]


def test_the_only_split_is_judged_by_where_there_is_no_test_and_that_is_told(beir_folder):
    whole = corpora.load(str(beir_folder))
    (beir_folder / "qrels" / "test.tsv").rename(beir_folder / "qrels" / "dev.tsv")
    found = corpora.load(str(beir_folder))
    assert found == whole and found.notes == ["judged by qrels/dev.tsv, as there is no qrels/test.tsv"]
    shutil.copy(beir_folder / "qrels" / "dev.tsv", beir_folder / "qrels" / "train.tsv")
    with pytest.raises(
        WorkbookError, match=r"tiny has no qrels/test\.tsv, but dev, train: call the one to judge by test"
    ):
        corpora.load(str(beir_folder))
    with pytest.raises(WorkbookError, match=r"qrels/trial\.tsv is missing"):
        corpora.load(str(beir_folder), "trial")
