"""Your corpus: what is made of each kind of input, what is drawn, and what is refused before anything is written."""

import dataclasses
import json
import random
import re
import tracemalloc

import pytest
from workbook import paths
from workbook.corpora import corpora, own_data
from workbook.corpora.corpora import Document
from workbook.corpora.own_data import Source
from workbook.errors import WorkbookError
from workbook.evaluation import results
from written_files import write_beir, write_table

WORDS = [f"{one}{two}" for one in ("river", "bank", "snow", "loan", "frog") for two in ("ly", "ful", "less", "ward")]
pytestmark = pytest.mark.usefixtures("data")


def sentence(random_source):
    return " ".join(random_source.choices(WORDS, k=8)).capitalize() + "."


def rows(count=40, title=True, sentences=4):
    """Rows of an unusual table: nr, headline, body."""
    draw = random.Random(0)
    return [
        {
            "nr": f"d{number}",
            **({"headline": f"Title {number}"} if title else {}),
            "body": " ".join(sentence(draw) for _ in range(sentences)),
        }
        for number in range(count)
    ]


def written(file, table):
    return write_table(file, table, ascii_only=True)


COLUMNS = {"id": "nr", "title": "headline", "text": "body"}


def documents_of(table):
    return {row["nr"]: Document(row.get("headline", ""), row["body"]) for row in table}


@pytest.mark.parametrize("name", ["My notes.csv", "My notes.parquet", "My notes.jsonl"])
def test_titles_are_asked_and_left_out_of_all_documents(tmp_path, name):
    source = Source(written(tmp_path / name, rows()), COLUMNS)
    corpus = own_data.load(source)
    assert re.fullmatch(r"My-notes-known-item-title-[0-9a-f]{8}", corpus.name)
    assert corpus.documents == {row["nr"]: Document("", row["body"]) for row in rows()}
    assert corpus.queries == {f"q:{row['nr']}": row["headline"] for row in rows()}
    assert corpus.qrels == {f"q:{row['nr']}": {row["nr"]: 1} for row in rows()}
    kind = "40 known-item queries: titles, left out of the documents"
    assert own_data.describe(source) == f"{name}: all 40 documents; {kind}"


@pytest.mark.parametrize(
    ("one", "other"), [("Caf\u00e9 \uff11", "CAFE\u0301\u200b  1"), ("Annual  report", "annual report ")]
)
def test_a_title_that_two_documents_have_is_not_asked_whatever_its_form(tmp_path, one, other):
    table = rows()
    table[3]["headline"], table[7]["headline"] = one, other
    corpus = own_data.load(Source(written(tmp_path / "x.jsonl", table), COLUMNS))
    assert set(corpus.queries) == {f"q:d{number}" for number in range(40)} - {"q:d3", "q:d7"}


def test_a_sentence_that_two_documents_have_is_not_asked(tmp_path):
    table = rows(title=False, sentences=1)
    for number, row in enumerate(table):
        row["body"] += f" All rights are reserved. Number {number} is a sentence."
    asked = own_data.load(Source(written(tmp_path / "y.csv", table), {"id": "nr", "text": "body"})).queries
    assert 10 <= len(asked) < 40
    assert set(asked.values()) <= {f"Number {number} is a sentence." for number in range(40)}


def test_sentences_of_a_script_without_spaces_are_asked(tmp_path):
    told = "河流向左弯曲之后。"
    texts = ["".join(f"{chr(0x4E00 + 9 * number + place)}{told}" for place in range(3)) for number in range(20)]
    table = [{"nr": f"d{number}", "body": text} for number, text in enumerate(texts)]
    corpus = own_data.load(Source(written(tmp_path / "x.jsonl", table), {"id": "nr", "text": "body"}))
    assert len(corpus.queries) == 20 and all(len(query) == 10 for query in corpus.query_texts)


@pytest.mark.parametrize("titled", [0, 20])
def test_without_titles_a_sentence_is_asked_and_left_out_of_its_document(tmp_path, titled):
    table = [row if number < titled else {**row, "headline": ""} for number, row in enumerate(rows())]
    source = Source(written(tmp_path / "x.csv", table), COLUMNS, queries=15)
    corpus = own_data.load(source)
    assert corpus.name.startswith("x-known-item-sentence-")
    assert own_data.describe(source).endswith("15 known-item queries: a sentence of a document each, left out of it")
    assert len(corpus.queries) == 15
    before = documents_of(table)
    for query, text in corpus.queries.items():
        (key,) = corpus.qrels[query]
        assert text in before[key].text
        assert text not in corpus.documents[key].full
        assert corpus.documents[key].full == before[key].full.replace(f"{text} ", "").replace(f" {text}", "")
    unasked = [key for key in before if f"q:{key}" not in corpus.queries]
    assert {key: corpus.documents[key] for key in unasked} == {key: before[key] for key in unasked}


def test_without_an_id_column_the_order_of_the_rows_decides_nothing(tmp_path):
    table = [{"title": f"Title {number}", "text": row["body"], "asked": row["nr"]} for number, row in enumerate(rows())]
    for columns in ({}, {"query": "asked"}):
        one, other = (
            own_data.load(Source(written(tmp_path / name, each), columns, documents=30))
            for name, each in (("x.csv", table), ("y.csv", table[::-1]))
        )
        content = [(corpus.documents, corpus.queries, corpus.qrels) for corpus in (one, other)]
        assert content[0] == content[1]
        assert list(one.queries) == list(other.queries) and one.sha256 == other.sha256
    texts = {document.full for document in one.documents.values()}
    assert texts <= {f"{row['title']} {row['text']}" for row in table}


def test_rows_that_are_there_twice_are_one_without_an_id_column_too(tmp_path):
    table = [{"text": row["body"], "asked": row["nr"]} for row in rows()]
    corpus = own_data.load(
        Source(written(tmp_path / "x.csv", [*table, {**table[0], "asked": "again"}]), {"query": "asked"})
    )
    assert (len(corpus.documents), len(corpus.queries)) == (40, 41)
    assert corpus.defects == ("x.csv: 1 row that is there twice was taken once (line 42)",)
    assert len({next(iter(corpus.qrels[key])) for key, text in corpus.queries.items() if text in ("again", "d0")}) == 1


def test_a_beir_folder_without_queries_gets_known_items(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    table = [{"_id": row["nr"], "title": row["headline"], "text": row["body"]} for row in rows()]
    written(folder / "corpus.jsonl", table)
    corpus = own_data.load(Source(str(folder)))
    assert corpus.name.startswith("mine-known-item-title-")
    assert (len(corpus.documents), len(corpus.queries)) == (40, 40)
    written(folder / "queries.jsonl", [{"_id": "q", "text": "why"}])
    assert own_data.load(Source(str(folder))) == corpus
    assert own_data.describe(Source(str(folder))).endswith("; its queries.jsonl has no qrels/test.tsv and is not asked")


def test_a_beir_folder_with_judgements_keeps_its_own(beir_folder):
    source, before = Source(str(beir_folder)), corpora.load(str(beir_folder))
    corpus = own_data.load(source)
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", corpus.name)
    assert (corpus.documents, corpus.queries, corpus.qrels) == (before.documents, before.queries, before.qrels)
    assert own_data.describe(source) == "tiny: all 3 documents; 2 queries, judged in qrels/test.tsv"
    with (beir_folder / "qrels" / "test.tsv").open("a") as stream:
        stream.write("q9\td1\t1\n")
    corpus = own_data.load(source)
    assert corpus.defects == ("test.tsv: 1 judgement was left out: its query is not there (line 5)",)
    assert corpus.qrels == before.qrels
    with pytest.raises(WorkbookError, match=r"test\.tsv:5: judgement for query 'q9', which queries\.jsonl does not"):
        own_data.load(dataclasses.replace(source, strict=True))


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.jsonl"])
def test_a_query_column_judges_its_rows(tmp_path, name):
    table = [{**row, "asked": f"question {int(row['nr'][1:]) // 2}"} for row in rows()]
    table[5]["asked"] = ""
    source = Source(written(tmp_path / name, table), {**COLUMNS, "query": "asked"})
    corpus = own_data.load(source)
    assert corpus.documents == documents_of(table)
    answers = {corpus.queries[query]: grades for query, grades in corpus.qrels.items()}
    assert answers["question 7"] == {"d14": 1, "d15": 1}
    assert answers["question 2"] == {"d4": 1}
    assert len(answers) == 20
    assert own_data.describe(source) == f"{name}: all 40 documents; 20 queries, judged in column 'asked'"


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl"])
def test_a_row_may_answer_several_questions_or_none(tmp_path, name):
    table = [{**row, "asked": [row["nr"], "common", "common"]} for row in rows()]
    table[3]["asked"], table[4]["asked"] = [], None
    corpus = own_data.load(Source(written(tmp_path / name, table), {**COLUMNS, "query": "asked"}))
    answers = {corpus.queries[query]: list(grades) for query, grades in corpus.qrels.items()}
    assert len(answers) == 39
    assert answers["d7"] == ["d7"]
    assert answers["common"] == sorted(f"d{number}" for number in range(40) if number not in (3, 4))


@pytest.mark.parametrize("name", ["j.csv", "j.parquet", "j.jsonl"])
def test_judgements_may_be_in_a_file_of_their_own(tmp_path, name):
    judged = [
        {"q": "snow", "doc": "d1", "rel": 2},
        {"q": "snow", "doc": "d2", "rel": 0},
        {"q": "é", "doc": "d3", "rel": 1},
    ]
    source = Source(
        written(tmp_path / "x.csv", rows()), COLUMNS,
        written(tmp_path / name, judged), {"query": "q", "document": "doc", "grade": "rel"},
    )  # fmt: skip
    corpus = own_data.load(source)
    answers = {corpus.queries[query]: grades for query, grades in corpus.qrels.items()}
    assert answers == {"snow": {"d1": 2, "d2": 0}, "é": {"d3": 1}}
    assert corpus.documents == documents_of(rows())
    assert own_data.describe(source) == f"x.csv: all 40 documents; 2 queries, judged in {name}"


def test_without_a_grade_a_judged_document_is_relevant(tmp_path):
    judged = written(tmp_path / "j.csv", [{"query": "snow", "document": 7}])
    table = [{"id": number, "text": row["body"]} for number, row in enumerate(rows())]
    assert [*own_data.load(Source(written(tmp_path / "x.jsonl", table), judged=judged)).qrels.values()] == [{"7": 1}]


def test_a_sample_keeps_the_judged_and_does_not_depend_on_the_order(tmp_path):
    table = [{**row, "asked": f"question {number}" if number % 4 == 0 else ""} for number, row in enumerate(rows(400))]
    shuffled = random.Random(1).sample(table, 400)
    columns = {**COLUMNS, "query": "asked"}
    made = [
        own_data.load(Source(written(tmp_path / f"{name}.csv", each), columns, documents=60, queries=12, seed=seed))
        for name, each, seed in [("a", table, 0), ("b", shuffled, 0), ("c", table, 1)]
    ]
    one, again, other = ((corpus.documents, corpus.queries, corpus.qrels) for corpus in made)
    assert one == again
    assert one[0].keys() != other[0].keys()
    assert one[1].keys() != other[1].keys()
    for corpus, each in zip(made, [table, shuffled, table], strict=True):
        assert (len(corpus.documents), len(corpus.queries)) == (60, 12)
        assert {key for grades in corpus.qrels.values() for key in grades} < set(corpus.documents)
        assert set(corpus.document_ids) < {row["nr"] for row in each}
        assert corpus.document_ids == sorted(corpus.document_ids)


def test_more_judged_documents_than_wanted_are_all_kept(tmp_path):
    table = [{**row, "asked": "which"} for row in rows()]
    source = Source(written(tmp_path / "x.csv", table), {**COLUMNS, "query": "asked"}, documents=20)
    assert len(own_data.load(source).documents) == 40


def test_all_documents_are_kept_on_demand(tmp_path):
    file = written(tmp_path / "x.csv", rows(200))
    assert len(own_data.load(Source(file, COLUMNS, documents=0)).documents) == 200
    source = Source(file, COLUMNS, documents=50, seed=3)
    assert own_data.describe(source).startswith("x.csv: 50 of 200 documents (sampled, seed 3); 50 known-item")


def test_empty_documents_are_left_out_and_counted(tmp_path):
    table = rows()
    table[0].update(headline="", body=" ")
    table[1]["body"] = ""
    source = Source(written(tmp_path / "x.csv", table), COLUMNS)
    corpus = own_data.load(source)
    assert corpus.document_ids == sorted(f"d{number}" for number in range(2, 40))
    assert corpus.defects == ("x.csv: 1 row was left out: empty (line 2)",)
    assert "38 of 39 documents (1 left out that have no text to search)" in own_data.describe(source)
    assert own_data.describe(source).endswith("; x.csv: 1 row was left out: empty (line 2)")


def test_it_is_made_once_and_again_when_something_changes(tmp_path):
    file = tmp_path / "x.csv"
    source = Source(written(file, rows()), COLUMNS)
    folder = paths.DATA / "own"
    first = own_data.prepare(source)
    times = {each: each.stat().st_mtime_ns for each in folder.rglob("*")}
    assert own_data.prepare(source) == first
    assert {each: each.stat().st_mtime_ns for each in folder.rglob("*")} == times
    for other in (
        Source(str(file), COLUMNS, queries=11), Source(str(file), COLUMNS, documents=30),
        Source(str(file), COLUMNS, seed=1), Source(str(file), {"id": "nr", "text": "body"}),
    ):  # fmt: skip
        assert own_data.prepare(other) != first
    written(file, rows(41))
    assert own_data.prepare(source) != first
    assert len(list(folder.iterdir())) == 6


def test_a_registered_name_is_loaded_as_it_is():
    assert own_data.load(Source("sample")) == corpora.load("sample")
    assert (
        own_data.describe(Source("sample")) == "sample: a registered corpus, whole, with its own queries and judgements"
    )
    assert not (paths.DATA / "own").exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    file, filler = tmp_path / "x.jsonl", "So many words about nothing at all. " * 290
    with file.open("w", encoding="utf-8") as stream:
        for number in range(5_000):
            row = {"id": number, "title": f"Title {number}", "text": filler, "asked": f"question {number}"}
            stream.write(json.dumps(row) + "\n")
    assert file.stat().st_size > 50e6
    for columns in ({}, {"query": "asked"}):
        tracemalloc.start()
        own_data.prepare(Source(str(file), columns, documents=100, queries=50))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6e6


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
        (rows(9), COLUMNS, "x.jsonl: 9 of 9 documents can be asked for by a title of their own, 10 are needed"),
        (rows(40, sentences=1), {"id": "nr", "text": "body"},
         "x.jsonl: 0 of 40 documents can be asked for by a sentence of their own (40 have no second sentence of some"),
        (without(rows(), "body"), {"id": "nr", "text": "headline"}, "x.jsonl: 0 of 40 documents can be asked for"),
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
