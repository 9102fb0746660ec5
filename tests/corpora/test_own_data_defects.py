"""Your corpus: which faults are told and worked round, and which stop before anything is written."""

import dataclasses
import re

import pytest
from test_own_data import COLUMNS, documents_of, rows, written
from workbook import paths
from workbook.corpora import corpora, own_data
from workbook.corpora.own_data import Source
from workbook.errors import WorkbookError
from workbook.evaluation import results
from written_files import write_beir

pytestmark = pytest.mark.usefixtures("data")


def without(table, name):
    return [{key: value for key, value in row.items() if key != name} for row in table]


def with_row(**values):
    return [*rows(), {"nr": "d99", "headline": "Title", "body": "Text.", **values}]


@pytest.mark.parametrize(
    ("table", "columns", "complaint"),
    [
        (rows(), {}, "no column 'text' in {file}: it has nr, headline, body; say by columns which it is"),
        (with_row(nr="d7"), COLUMNS, "{file}:41: id 'd7' is there twice, first at {file}:8, with another text"),
        (with_row(nr=5) + with_row(nr="5")[40:], COLUMNS, "{file}:42: id '5' is there twice, first at {file}:41"),
        (with_row(nr="d7", body="", headline=""), COLUMNS, "{file}:41: document 'd7' is empty"),
        (with_row(nr=1.5), COLUMNS, "{file}:41: column 'nr' holds a number, not a text"),
        (with_row(nr=True), COLUMNS, "{file}:41: column 'nr' holds true or false, not a text"),
        (with_row(nr=None), COLUMNS, "{file}:41: column 'nr' holds nothing, not a text"),
        (with_row(nr=" "), COLUMNS, "{file}:41: id ' ' is empty"),
        (with_row(nr="a\tb"), COLUMNS, "{file}:41: the id 'a\\tb' holds a tab or a line end"),
        (with_row(body=None, headline=None), COLUMNS, "{file}:41: document 'd99' is empty; remove it"),
        (with_row(body=7), COLUMNS, "{file}:41: column 'body' holds a number, not a text"),
        (with_row(body={"a": "b"}), COLUMNS, "{file}:41: column 'body' holds an object, not a text"),
        (with_row(headline=["a"]), COLUMNS, "{file}:41: column 'headline' holds a list, not a text"),
        (with_row(body="\ud800"), COLUMNS, "{file}:41: document 'd99' holds half a surrogate pair"),
        (with_row(asked=["a", 1]), {**COLUMNS, "query": "asked"}, "{file}:41: column 'asked' holds a number"),
        (with_row(asked="why", body="", headline=""), {**COLUMNS, "query": "asked"},
         "{file}:41: document 'd99' is empty"),
        (with_row(asked=""), {**COLUMNS, "query": "asked"}, "column 'asked' of x.jsonl: no document is relevant"),
        (rows(9), COLUMNS, "x.jsonl: 9 of 9 documents can be asked for by the title that no other has, 10 are needed"),
        ([{"nr": f"d{number}", "body": "word"} for number in range(40)], {"id": "nr", "text": "body"},
         "x.jsonl: 0 of 40 documents can be asked for by words in a row that no other has, 10 are needed"),
        ([{"nr": "a", "body": " "}], {"id": "nr", "text": "body"}, "{file}:1: document 'a' is empty; remove it"),
    ],
)  # fmt: skip
def test_strictly_a_fault_is_told_in_one_line_and_nothing_is_written(tmp_path, table, columns, complaint):
    file = written(tmp_path / "x.jsonl", table)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(file=file))}[^\n]*$"):
        own_data.load(Source(file, columns, strict=True))
    assert not (paths.DATA / "own").exists()


def test_a_column_of_queries_that_is_not_asked_is_told(tmp_path):
    table = [{**row, "query": "which"} for row in rows()]
    source = Source(written(tmp_path / "x.csv", table), COLUMNS)
    assert own_data.describe(source).endswith(
        '; its column query is not asked: for that, say columns {"query": "query"}'
    )


@pytest.mark.parametrize(
    ("rows_added", "told"),
    [
        ([{"nr": "d99", "headline": "", "body": ""}], "1 row was left out: empty ({41})"),
        ([{"nr": "d99", "headline": None, "body": None}] * 2,
         "2 rows were left out: empty ({41}, {42}); x.jsonl: 1 row that is there twice was taken once ({42})"),
        ([{"nr": "d98", "headline": "x", "body": 7}, {"nr": "d99", "headline": "x", "body": {"a": 1}}],
         "2 rows were left out: 1 a number for a text ({41}), 1 an object for a text ({42})"),
        ([{"nr": 1.5, "headline": "x", "body": "y"}, {"nr": "a\tb", "headline": "x", "body": "y"}],
         "2 rows were left out: 1 a number for a text ({41}), 1 an id that qrels cannot hold ({42})"),
        ([{"nr": "d99", "headline": "\ud800", "body": "x"}], "1 row was left out: half a surrogate pair ({41})"),
        ([rows()[0]], "1 row that is there twice was taken once ({41})"),
        ([{"nr": f"e{n}", "headline": "", "body": ""} for n in range(8)],
         "8 rows were left out: empty ({41}, {42}, {43}, {44}, {45} and 3 more)"),
    ],
)  # fmt: skip
def test_a_small_defect_is_told_and_changes_nothing_else(tmp_path, rows_added, told):
    whole = own_data.load(Source(written(tmp_path / "x.jsonl", rows()), COLUMNS))
    source = Source(written(tmp_path / "x.jsonl", [*rows(), *rows_added]), COLUMNS)
    corpus = own_data.load(source)
    assert (corpus.documents, corpus.queries, corpus.qrels) == (whole.documents, whole.queries, whole.qrels)
    numbers = re.sub(r"\(\{(\d+)\}([,)])", r"(line \1\2", told)
    numbers = re.sub(r"\(line (\d+),", r"(lines \1,", re.sub(r"\{(\d+)\}", r"\1", numbers))
    assert "; ".join(corpus.defects) == f"x.jsonl: {numbers}"
    assert own_data.describe(source).endswith(f"; x.jsonl: {numbers}")
    assert results.what_ran(corpus, given={}).data.loc["notes on the corpus", ""] == f"x.jsonl: {numbers}"
    with pytest.raises(WorkbookError, match=r"x\.jsonl:4[12]: "):
        own_data.load(dataclasses.replace(source, strict=True))


def test_a_table_with_three_bad_rows_of_many_says_which(tmp_path):
    lines = [f"{n},Title {n},Text number {n}." for n in range(2_000)]
    lines[15], lines[201], lines[1_009] = "15,,", "201,Title", '1009,"Title" of,Text.'
    (tmp_path / "x.csv").write_text("\n".join(["id,title,text", *lines, ""]))
    corpus = own_data.load(Source(str(tmp_path / "x.csv"), documents=0, queries=5_000))
    assert len(corpus.documents) == len(corpus.queries) == 1_997
    assert corpus.defects == (
        "x.csv: 3 rows were left out: 1 empty (line 17), 1 another number of fields than the header (line 203), "
        "1 not valid CSV (line 1011)",
    )


def test_a_row_that_is_left_out_keeps_its_number(tmp_path):
    table = [{"text": row["body"]} for row in rows()]
    table[4]["text"] = 7
    judged = written(tmp_path / "j.csv", [{"query": "snow", "document": 6}])
    corpus = own_data.load(Source(written(tmp_path / "x.jsonl", table), judged=judged))
    assert corpus.document_ids == sorted(str(number) for number in range(1, 41) if number != 5)
    assert corpus.documents["6"].text == rows()[5]["body"]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ([{**row, "body": "", "headline": ""} if n % 2 else row for n, row in enumerate(rows())],
         ":2: document 'd1' is empty; remove it or give it a text (20 of 40 are like it: too many to go on without)"),
        ([{**row, "body": 7} if n < 11 else row for n, row in enumerate(rows())],
         ":1: column 'body' holds a number, not a text; convert it or leave the row out (11 of 40 are like it"),
        ([{**row, "nr": n} if n > 20 else {**row, "nr": 1.5 * n} for n, row in enumerate(rows())],
         ":1: column 'nr' holds a number, not a text"),
        ([*rows(), {**rows()[3], "body": "Other."}], ":41: id 'd3' is there twice, first at "),
        ([*rows(), {**rows()[3], "headline": "", "body": ""}], ":41: id 'd3' is there twice, first at "),
    ],
)  # fmt: skip
def test_many_defects_are_structural(tmp_path, table, complaint):
    file = written(tmp_path / "x.jsonl", table)
    with pytest.raises(WorkbookError, match=f"^{re.escape(file + complaint)}"):
        own_data.load(Source(file, COLUMNS))
    assert not (paths.DATA / "own").exists()


def judged_source(tmp_path, judged, table=None):
    return Source(written(tmp_path / "x.csv", table or rows()), COLUMNS, written(tmp_path / "j.csv", judged))


JUDGED = [{"query": f"ask {n}", "document": f"d{n}", "grade": 1} for n in range(12)]


def test_a_judged_document_that_is_absent_or_empty_stays_and_cannot_be_found(tmp_path):
    table = [{**row, "headline": "", "body": ""} if row["nr"] == "d3" else row for row in rows()]
    source = judged_source(tmp_path, [*JUDGED, {"query": "ask 0", "document": "d99", "grade": 2}], table)
    corpus = own_data.load(source)
    answers = {corpus.queries[query]: grades for query, grades in corpus.qrels.items()}
    assert answers["ask 0"] == {"d0": 1, "d99": 2}
    assert answers["ask 3"] == {"d3": 1}
    assert "d3" not in corpus.documents
    assert corpus.defects == (
        "x.csv: 1 row was left out: empty (line 5)",
        "j.csv: 2 judgements name documents that are not there: they stay, as ones that cannot be found (lines 5, 14)",
    )
    assert corpora.load(own_data.prepare(source)).qrels == corpus.qrels
    with pytest.raises(WorkbookError, match=r"x\.csv:5: document 'd3' is empty"):
        own_data.load(dataclasses.replace(source, strict=True))


@pytest.mark.parametrize(
    ("row", "told", "complaint"),
    [
        ({"query": ""}, "1 row was left out: empty", "query '' is empty"),
        *(({"grade": grade}, "1 row was left out: a grade that is no whole number",
           "column 'grade' must be a whole number, 1,000 at most") for grade in ("1.5", 2**31)),
        ({"document": ""}, "1 row was left out: without an id", "id '' is empty"),
        (JUDGED[4], "1 judgement that is there twice was taken once",
         "query 'ask 4' and document 'd4' are judged twice; take one out"),
    ],
)  # fmt: skip
def test_a_small_defect_of_the_judgements_is_told_or_strictly_refused(tmp_path, row, told, complaint):
    whole = own_data.load(judged_source(tmp_path, JUDGED))
    source = judged_source(tmp_path, [*JUDGED, {"query": "a", "document": "d1", "grade": 1, **row}])
    corpus = own_data.load(source)
    assert (corpus.queries, corpus.qrels, corpus.defects) == (whole.queries, whole.qrels, (f"j.csv: {told} (line 14)",))
    with pytest.raises(WorkbookError, match=f"^{re.escape(f'{source.judged}:14: {complaint}')}"):
        own_data.load(dataclasses.replace(source, strict=True))


@pytest.mark.parametrize(
    ("judged", "complaint"),
    [
        ([{"q": "a", "document": "d1"}], "no column 'query' in {judged}: it has q, document; say by judged_columns"),
        ([{"query": "a", "document": "d99"}], "{judged}:2: judgement for document 'd99', which {corpus} lacks"),
        ([{**one, "document": f"z{n}"} if n % 2 else one for n, one in enumerate(JUDGED)],
         "{judged}:3: judgement for document 'z1', which {corpus} lacks (6 of 12 are like it"),
        ([*JUDGED, {**JUDGED[4], "grade": 2}],
         "{judged}:14: query 'ask 4' and document 'd4' are judged twice, at 1 and at 2"),
        ([{**one, "grade": "high"} for one in JUDGED], "{judged}:2: column 'grade' must be a whole number"),
        ([{"query": "a", "document": "d1", "grade": 0}], "j.csv of x.csv: no document is relevant to any query"),
    ],
)  # fmt: skip
def test_a_structural_defect_of_the_judgements_stops_before_anything_is_written(tmp_path, judged, complaint):
    source = judged_source(tmp_path, judged)
    complaint = complaint.format(judged=source.judged, corpus=source.corpus)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint)}"):
        own_data.load(source)
    assert not (paths.DATA / "own").exists()


def test_rows_of_one_document_with_a_question_each_are_one_document(tmp_path):
    table = [{**row, "asked": f"ask {row['nr']}"} for row in rows()]
    table += [{**row, "asked": f"why {row['nr']}"} for row in rows()[:5]]
    corpus = own_data.load(Source(written(tmp_path / "x.csv", table), {**COLUMNS, "query": "asked"}))
    assert (len(corpus.documents), len(corpus.queries)) == (40, 45)
    assert corpus.defects == ("x.csv: 5 rows that are there twice were taken once (lines 42, 43, 44, 45, 46)",)


def test_a_query_column_with_a_number_in_it_loses_that_query_alone(tmp_path):
    table = [{**row, "asked": [row["nr"], None]} for row in rows()]
    table[7]["asked"] = ["a", 1]
    corpus = own_data.load(Source(written(tmp_path / "x.jsonl", table), {**COLUMNS, "query": "asked"}))
    assert (len(corpus.documents), len(corpus.queries)) == (40, 39)
    assert corpus.defects == ("x.jsonl: 1 row's query was left out: a number for a text (line 8)",)


def test_a_set_whose_queries_are_documents_is_scored_alike_by_path(tmp_path):
    texts = {key: document.text for key, document in documents_of(rows()).items()}
    asked = {f"d{number}": texts[f"d{number}"] for number in range(12)}
    qrels = {f"d{number}": {f"d{number + 12}": 1} for number in range(12)}
    folder = write_beir(tmp_path / "mine", {key: ("", text) for key, text in texts.items()}, asked, qrels)
    corpus, before = own_data.load(Source(folder)), corpora.load(folder)
    assert corpus.drop_identical and before.drop_identical
    assert corpus.qrels == before.qrels
    told = "12 of the queries are documents themselves: each is passed over in its own results"
    assert own_data.describe(Source(folder)).endswith(f"; {told}")
    assert results.what_ran(corpus, given={}).data.loc["notes on the corpus", ""] == told
