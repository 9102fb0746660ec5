"""What is wrong with a source is seen before its rows are read."""

import re
import shutil

import pytest
from workbook.corpora import own_files
from workbook.corpora.own_files import Source
from workbook.errors import WorkbookError


@pytest.fixture
def folder(tmp_path):
    """A table with a fault in its second row, which no check may come to, and judgements of it."""
    (tmp_path / "x.csv").write_text("id,title,text,asked\n1,One,Text.,why\n2\n")
    (tmp_path / "j.csv").write_text("query,document\nwhy,1\n")
    (tmp_path / "x.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_good_source_passes_unread(folder, beir_folder):
    for source in (
        Source(str(folder / "x.csv")), Source(str(folder / "x.csv"), {"query": "asked"}, documents=0),
        Source(str(folder / "x.csv"), {"title": "asked"}, str(folder / "j.csv"), {"document": "document"}),
        Source(str(beir_folder)), Source("sample"), Source("scifact"), Source("python-docs:1000"),
    ):  # fmt: skip
        own_files.check(source)


def test_columns_are_found_by_their_usual_names(folder):
    file = str(folder / "x.csv")
    assert own_files.columns_of(Source(file)) == {"id": "id", "title": "title", "text": "text"}
    other = Source(file, {"text": "asked", "query": "text"})
    assert own_files.columns_of(other) == {"id": "id", "title": "title", "text": "asked", "query": "text"}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"corpus": "y.csv"}, "no corpus '{folder}/y.csv': give a .jsonl, .csv or .parquet file, a folder with"),
        ({"corpus": "empty"}, "no corpus '{folder}/empty': give a"),
        ({"corpus": "x.txt"}, "{folder}/x.txt is none of .jsonl"),
        ({"columns": {"txt": "text"}}, "columns says which column is id, title, text, query, and nothing else"),
        ({"columns": ["text"]}, "columns says which column is"),
        ({"columns": {"text": "txt"}}, "no column 'txt' in {folder}/x.csv: it has id, title, text, asked"),
        ({"columns": {"text": 3}}, "no column 3 in {folder}/x.csv: it has id, title, text, asked"),
        ({"columns": {"text": "asked", "query": "asked"}}, "columns gives one column to two"),
        ({"judged": "k.csv"}, "{folder}/k.csv is missing"),
        ({"judged": "x.csv"}, "no column 'document' in {folder}/x.csv: it has id, title, text, asked; say by judged_c"),
        ({"judged": "j.csv", "judged_columns": {"grade": "g"}}, "no column 'g' in {folder}/j.csv: it has query, docum"),
        ({"judged": "j.csv", "columns": {"query": "asked"}}, "judgements are in j.csv and in column 'asked': give one"),
        ({"judged_columns": {"grade": "g"}}, "judged_columns are given, but not judged"),
        ({"documents": -1}, "most_documents must be a whole number, 0 or more, not -1"),
        ({"documents": 1.5}, "most_documents must be a whole number, 0 or more, not 1.5"),
        ({"queries": 9}, "most_queries must be a whole number, 10 or more, not 9"),
        ({"queries": True}, "most_queries must be a whole number, 10 or more, not True"),
        ({"seed": "0"}, "seed must be a whole number, 0 or more, not '0'"),
    ],
)
def test_a_bad_source_is_refused_unread(folder, values, complaint):
    places = {name: str(folder / values[name]) for name in ("corpus", "judged") if name in values}
    source = Source(**{"corpus": str(folder / "x.csv"), **values, **places})
    with pytest.raises(WorkbookError, match=f"^{re.escape(complaint.format(folder=folder))}[^\n]*$"):
        own_files.check(source)


@pytest.mark.parametrize(
    "values", [{"columns": {"text": "body"}}, {"judged": "j.csv"}, {"judged_columns": {"query": "q"}}]
)
def test_a_registered_corpus_has_its_own_columns_and_judgements(values):
    with pytest.raises(WorkbookError, match="for a file of your own; sample has its own"):
        own_files.check(Source("sample", **values))


def test_a_folder_with_judgements_takes_no_others(beir_folder, folder):
    with pytest.raises(WorkbookError, match=r"judgements are in qrels/test\.tsv and in j\.csv: give one of them"):
        own_files.check(Source(str(beir_folder), judged=str(folder / "j.csv")))


def test_a_folder_may_have_any_sets_name(beir_folder, tmp_path):
    shutil.copytree(beir_folder, tmp_path / "arguana")
    own_files.check(Source(str(tmp_path / "arguana")))


@pytest.mark.parametrize(
    ("name", "header", "hint"),
    [
        ("x.csv", "id;title;text", 'is it separated by ";"? Save it with commas'),
        ("x.csv", "id;title, short;text", 'is it separated by ";"? Save it with commas'),
        ("x.csv", "id|title|text", 'is it separated by "|"? Save it with commas'),
        ("x.csv", "id\ttitle\ttext", "is it separated by tabs? Name it .tsv"),
        ("x.tsv", "id,title,text", "is it separated by commas? Name it .csv"),
        ("x.csv", "sep=;\nid;title;text", "take the line out, save with commas"),
        ("x.csv", "id,title,body", "say by columns which it is"),
    ],
)
def test_a_file_with_another_separator_is_told_from_one_without_the_column(tmp_path, name, header, hint):
    (tmp_path / name).write_text(f"{header}\n1;a;b\n")
    with pytest.raises(WorkbookError, match=f"{re.escape(hint)}$"):
        own_files.check(Source(str(tmp_path / name)))
