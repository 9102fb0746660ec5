"""Your corpus: what is made of each kind of input, and what is drawn."""

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
from written_files import write_table

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
    kind = "40 known-item queries: the title of a document each, left out of it"
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


def test_of_documents_of_one_line_words_in_a_row_are_asked_that_no_other_has(tmp_path):
    """Half of the lines are there twice but for their last word: what they share asks for neither."""
    told = [
        f"{name} chair of oak with {count} legs and a {name} back" for count in range(3, 5) for name in "abcdefghij"
    ]
    table = [{"nr": f"d{number}", "body": f"{text} nr{number}"} for number, text in enumerate(told * 2)]
    table += [
        {"nr": f"e{number}", "body": f"lamp{number} of{number} brass{number} and{number}"} for number in range(30)
    ]
    source = Source(written(tmp_path / "x.jsonl", table), {"id": "nr", "text": "body"})
    corpus = own_data.load(source)
    assert corpus.name.startswith("x-known-item-span-") and len(corpus.queries) >= 30
    assert own_data.describe(source).endswith("known-item queries: words in a row of a document each, left out of it")
    before = documents_of(table)
    for query, text in corpus.queries.items():
        (key,) = corpus.qrels[query]
        assert [each for each, one in before.items() if text in one.full] == [key]
        assert text not in corpus.documents[key].full


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
