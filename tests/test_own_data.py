"""Your corpus: what is made of each kind of input, what is drawn, and what is refused before anything is written."""

import csv
import json
import random
import re
import tracemalloc

import pyarrow
import pytest
from pyarrow import parquet
from workbook import corpora, own_data, paths
from workbook.corpora import Document
from workbook.errors import WorkbookError
from workbook.own_data import Source

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
    if file.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(table), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    return str(file)


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


def test_a_title_that_two_documents_have_in_different_forms_is_not_asked(tmp_path):
    table = rows()
    table[3] |= {"headline": "Caf\u00e9 \uff11"}
    table[7] |= {"headline": "CAFE\u0301\u200b  1"}
    corpus = own_data.load(Source(written(tmp_path / "x.jsonl", table), COLUMNS))
    assert set(corpus.queries) == {f"q:d{number}" for number in range(40)} - {"q:d3", "q:d7"}


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


def test_what_two_documents_say_is_not_asked(tmp_path):
    table = rows()
    table[0]["headline"], table[1]["headline"] = "Annual  report", "annual report "
    asked = own_data.load(Source(written(tmp_path / "x.csv", table), COLUMNS)).queries
    assert asked.keys() == {f"q:d{number}" for number in range(2, 40)}
    plain = rows(title=False, sentences=1)
    for number, row in enumerate(plain):
        row["body"] += f" All rights are reserved. Number {number} is a sentence."
    asked = own_data.load(Source(written(tmp_path / "y.csv", plain), {"id": "nr", "text": "body"})).queries
    assert 10 <= len(asked) < 40
    assert set(asked.values()) <= {f"Number {number} is a sentence." for number in range(40)}


def test_without_an_id_column_the_row_is_the_id(tmp_path):
    table = [{"title": f"Title {number}", "text": row["body"]} for number, row in enumerate(rows())]
    assert own_data.load(Source(written(tmp_path / "x.csv", table))).document_ids == [str(n) for n in range(1, 41)]


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
    corpus, before = own_data.load(Source(str(beir_folder))), corpora.load(str(beir_folder))
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", corpus.name)
    assert (corpus.documents, corpus.queries, corpus.qrels) == (before.documents, before.queries, before.qrels)
    assert own_data.describe(Source(str(beir_folder))) == "tiny: all 3 documents; 2 queries, judged in qrels/test.tsv"


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
    assert answers["common"] == [f"d{number}" for number in range(40) if number not in (3, 4)]


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
        order = [row["nr"] for row in each if row["nr"] in corpus.documents]
        assert corpus.document_ids == order


@pytest.mark.parametrize("title", [True, False])
def test_known_items_of_a_sample_do_not_depend_on_the_order(tmp_path, title):
    table = rows(300, title)
    shuffled = random.Random(1).sample(table, 300)
    columns = COLUMNS if title else {"id": "nr", "text": "body"}
    one, other = (
        own_data.load(Source(written(tmp_path / f"{name}.csv", each), columns, documents=50, queries=10))
        for name, each in [("a", table), ("b", shuffled)]
    )
    assert (len(one.documents), len(one.queries)) == (50, 10)
    assert (one.documents, one.queries) == (other.documents, other.queries)


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
    assert own_data.load(source).document_ids == [f"d{number}" for number in range(2, 40)]
    assert "38 of 40 documents (2 left out that have no text to search)" in own_data.describe(source)


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
        (rows(), {**COLUMNS, "title": "titel"}, "no column 'titel' in {file}: it has nr, headline, body"),
        (rows(), {**COLUMNS, "body": "text"}, "columns says which column is id, title, text, query, and nothing else"),
        (rows(), {**COLUMNS, "title": "body"}, "columns gives one column to two"),
        (with_row(nr="d7"), COLUMNS, "{file}:41: id 'd7' is there twice, first at {file}:8; ids must be unique"),
        (with_row(nr=5) + with_row(nr="5")[40:], COLUMNS, "{file}:42: id '5' is there twice, first at {file}:41"),
        (with_row(nr="d7", body="", headline=""), COLUMNS, "{file}:41: id 'd7' is there twice"),
        (with_row(nr=1.5), COLUMNS, "{file}:41: column 'nr' holds a number, not a text"),
        (with_row(nr=True), COLUMNS, "{file}:41: column 'nr' holds true or false, not a text"),
        (with_row(nr=None), COLUMNS, "{file}:41: column 'nr' holds nothing, not a text"),
        (with_row(nr=" "), COLUMNS, "{file}:41: id ' ' is empty"),
        (with_row(nr="a\tb"), COLUMNS, "{file}:41: the id 'a\\tb' holds a tab or a line end"),
        (with_row(body=None), COLUMNS, "{file}:41: column 'body' holds nothing, not a text"),
        (with_row(body=7), COLUMNS, "{file}:41: column 'body' holds a number, not a text"),
        (with_row(body={"a": "b"}), COLUMNS, "{file}:41: column 'body' holds an object, not a text"),
        (with_row(headline=["a"]), COLUMNS, "{file}:41: column 'headline' holds a list, not a text"),
        (with_row(body="\ud800"), COLUMNS, "{file}:41: document 'd99' holds half a surrogate pair"),
        (with_row(asked=["a", 1]), {**COLUMNS, "query": "asked"}, "{file}:41: column 'asked' holds a number"),
        (with_row(asked="why", body="", headline=""), {**COLUMNS, "query": "asked"},
         "{file}:41: document 'd99' is empty, but judged at {file}:41"),
        (with_row(asked=""), {**COLUMNS, "query": "asked"}, "column 'asked' of x.jsonl: no document is relevant"),
        (rows(9), COLUMNS, "x.jsonl: 9 of 9 documents can be asked for by a title of their own, 10 are needed"),
        (rows(40, sentences=1), {"id": "nr", "text": "body"},
         "x.jsonl: 0 of 40 documents can be asked for by a sentence of their own (40 have no second sentence of some"),
        (without(rows(), "body"), {"id": "nr", "text": "headline"}, "x.jsonl: 0 of 40 documents can be asked for"),
        ([{"nr": "a", "body": " "}], {"id": "nr", "text": "body"}, "{file} has no document in it: 1 rows, none with"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_one_line_and_nothing_is_written(tmp_path, table, columns, complaint):
    file = written(tmp_path / "x.jsonl", table)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(file=file))}[^\n]*$"):
        own_data.load(Source(file, columns))
    assert not (paths.DATA / "own").exists()


@pytest.mark.parametrize(
    ("judged", "complaint"),
    [
        ([{"q": "a", "document": "d1"}], "no column 'query' in {file}: it has q, document; say by judged_columns"),
        ([{"query": "a", "document": "d99"}], "{file}:2: judgement for document 'd99', which {corpus} lacks"),
        ([{"query": "", "document": "d1"}], "{file}:2: query '' is empty"),
        ([{"query": "a", "document": "d1", "grade": "1.5"}], "{file}:2: column 'grade' must be a whole number"),
        ([{"query": "a", "document": "d1", "grade": 2**31}], "{file}:2: column 'grade' must be a whole number, 1,000"),
        ([{"query": "a", "document": "d1"}] * 2, "{file}:3: query 'a' and document 'd1' are judged twice"),
        ([{"query": "a", "document": "d1", "grade": 0}], "j.csv of x.csv: no document is relevant to any query"),
    ],
)
def test_a_fault_in_the_judgements_is_told_with_its_line(tmp_path, judged, complaint):
    corpus, file = written(tmp_path / "x.csv", rows()), written(tmp_path / "j.csv", judged)
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(file=file, corpus=corpus))}"):
        own_data.load(Source(corpus, COLUMNS, file))
    assert not (paths.DATA / "own").exists()


def test_a_judgement_of_an_unknown_query_is_told_with_its_line(beir_folder):
    with (beir_folder / "qrels" / "test.tsv").open("a") as stream:
        stream.write("q9\td1\t1\n")
    with pytest.raises(WorkbookError, match=r"test\.tsv:5: judgement for query 'q9', which queries\.jsonl does not"):
        own_data.load(Source(str(beir_folder)))


def test_a_column_of_queries_that_is_not_asked_is_told(tmp_path):
    table = [{**row, "query": "which"} for row in rows()]
    source = Source(written(tmp_path / "x.csv", table), COLUMNS)
    assert own_data.describe(source).endswith(
        '; its column query is not asked: for that, say columns {"query": "query"}'
    )
