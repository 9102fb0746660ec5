"""Corpora: what is read, what is refused, and with which words."""

import dataclasses
import json
import os
import re
import shutil

import pytest
from workbook import beir_sets, corpora
from workbook.corpora import Document
from workbook.errors import WorkbookError

BEIR_DATA_DIR = os.environ.get("BEIR_DATA_DIR")  # read here: the `data` fixture removes it


def counts(corpus):
    return len(corpus.documents), len(corpus.queries), sum(map(len, corpus.qrels.values()))


def append(file, line):
    with file.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(f"{line}\n")


def test_sample_counts():
    corpus = corpora.load("sample")
    assert counts(corpus) == (62, 25, 105)
    assert {grade for grades in corpus.qrels.values() for grade in grades.values()} == {0, 1, 2}


@pytest.mark.skipif(not BEIR_DATA_DIR, reason="BEIR_DATA_DIR is not set: no SciFact on this machine")
def test_scifact_counts(monkeypatch):
    monkeypatch.setattr(beir_sets, "BEIR_URL", "http://127.0.0.1:9/{name}.zip")
    assert counts(corpora.load("scifact")) == (5183, 300, 339)


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


def test_windows_line_ends_change_nothing(beir_folder):
    before = corpora.load(str(beir_folder))
    for file in [path for path in beir_folder.rglob("*") if path.is_file()]:
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert corpora.load(str(beir_folder)) == before


@pytest.mark.parametrize(
    ("place", "line", "complaint"),
    [
        ("corpus.jsonl:4", '{"_id": "d4", "text": "cut', "not valid JSON"),
        ("corpus.jsonl:4", '["d4", "a list"]', "each line needs"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": "no text"}', "each line needs"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": "", "text": " "}', "document 'd4' is empty"),
        ("corpus.jsonl:4", '{"_id": "d1", "text": "again"}', "document id 'd1' is there twice"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "\\ud800"}', "half a surrogate pair"),
        ("corpus.jsonl:4", '{"_id": "d4", "title": ["a"], "text": "x"}', '"title" must be a string'),
        ("queries.jsonl:3", '{"_id": "q3", "text": "\\t"}', "query 'q3' is empty"),
        ("queries.jsonl:3", '{"_id": "q1", "text": "again"}', "query id 'q1' is there twice"),
        ("qrels/test.tsv:5", "q1\td9\t1", "document 'd9', which corpus.jsonl does not have"),
        ("qrels/test.tsv:5", "q9\td1\t1", "query 'q9', which queries.jsonl does not have"),
        ("qrels/test.tsv:5", "q1\td2\t0.5", "a whole number"),
        ("qrels/test.tsv:5", "q1\td2\t--1", "a whole number"),
        ("qrels/test.tsv:5", "q1\td2\t²", "a whole number"),
        ("qrels/test.tsv:5", "q1 0 d2 1", "tab separated"),
        ("qrels/test.tsv:5", f"q1\td2\t{2**31}", "a grade must be a whole number, 1,000 at most"),
        ("qrels/test.tsv:5", f"q1\td2\t-{'9' * 5_000}", "a grade must be a whole number, 1,000 at most"),
        ("corpus.jsonl:4", '{"_id": "", "text": "x"}', "id '' is empty"),
        ("corpus.jsonl:4", '{"_id": "\\ud800", "text": "x"}', "half a surrogate pair"),
        ("corpus.jsonl:4", '{"_id": "a\\u0000", "text": "x"}', "the id 'a\\x00' holds a tab or a line end (or a zero"),
        ("queries.jsonl:3", '{"_id": "a\\tb", "text": "x"}', "the id 'a\\tb' holds a tab"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "text": "y"}', "a key is there twice in _id, text, text"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "n": %s}' % ("9" * 5_000), "not usable JSON (Exceeds the limit"),
        ("corpus.jsonl:4", '{"_id": "d4", "text": "x", "n": %s' % ("[" * 10_000), "not usable JSON (maximum recursion"),
        ("corpus.jsonl:4", '\ufeff{"_id": "d4", "text": "x"}', "not valid JSON"),
        ("qrels/test.tsv:5", "q1\td1\t1", "'q1' and document 'd1' are judged twice"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(beir_folder, place, line, complaint):
    append(beir_folder / place.partition(":")[0], line)
    with pytest.raises(WorkbookError, match=f"{re.escape(str(beir_folder / place))}: .*{re.escape(complaint)}"):
        corpora.load(str(beir_folder))


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


@pytest.mark.parametrize("place", ["corpus.jsonl:4", "queries.jsonl:3", "qrels/test.tsv:5"])
def test_invalid_utf8_is_refused_with_its_line(beir_folder, place):
    with (beir_folder / place.partition(":")[0]).open("ab") as stream:
        stream.write(b'{"_id": "\xff"}\n')
    with pytest.raises(WorkbookError, match=f"{re.escape(str(beir_folder / place))}: not valid UTF-8"):
        corpora.load(str(beir_folder))


def test_a_byte_order_mark_is_no_text(beir_folder):
    before = corpora.load(str(beir_folder))
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (beir_folder / name).write_bytes(b"\xef\xbb\xbf" + (beir_folder / name).read_bytes())
    assert corpora.load(str(beir_folder)) == before


def test_a_line_without_end_is_refused_before_it_fills_the_memory(beir_folder, monkeypatch):
    monkeypatch.setattr(corpora, "LONGEST", 2**20)
    append(beir_folder / "corpus.jsonl", "[" + "0," * 2**20)
    with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: a line of more than 1 MB; write one row a line"):
        corpora.load(str(beir_folder))


@pytest.mark.parametrize("name", ["scifakt", "python-docs:many", "no/such/folder"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(WorkbookError, match=f"{name}.*sample, python-docs, python-docs:N, .*scifact.*folder"):
        corpora.load(name)


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
    assert corpora.read_beir(beir_folder, "tiny", may_be_empty=True).documents["d4"].full == ""


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
    with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: document 'd4' is empty"):
        corpora.unlabelled(str(beir_folder))


@pytest.mark.parametrize("name", ["scifakt", "python-docs:many", "no/such/folder"])
def test_documents_of_an_unknown_corpus_are_refused(name):
    with pytest.raises(WorkbookError, match=f"unknown corpus '{name}': give one of sample, python-docs"):
        corpora.unlabelled(name)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"_id": "d4", "text": "cut', "not valid JSON"),
        ('{"_id": 4, "text": "a number"}', "each line needs"),
        ('{"_id": "d4", "title": 4, "text": "x"}', '"title" must be a string'),
        ('{"_id": "d1", "text": "again"}', "document id 'd1' is there twice"),
    ],
)
@pytest.mark.parametrize("may_be_empty", [False, True])
def test_a_bad_document_is_refused_with_its_line(beir_folder, line, complaint, may_be_empty):
    file = beir_folder / "corpus.jsonl"
    append(file, line)
    with pytest.raises(WorkbookError, match=f"{re.escape(str(file))}:4: .*{re.escape(complaint)}"):
        corpora.read_documents(file, may_be_empty)


def test_an_empty_document_does_not_take_the_place_of_one_with_its_id(tmp_path):
    file = tmp_path / "corpus.jsonl"
    file.write_text('{"_id": "d1", "text": "full"}\n{"_id": "d1", "text": ""}\n')
    with pytest.raises(WorkbookError, match=r"corpus.jsonl:2: document id 'd1' is there twice"):
        corpora.read_documents(file, may_be_empty=True)
