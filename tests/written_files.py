"""Corpora and tables written to files, for the tests that read them."""

import csv
import json
import shutil

import pyarrow
from pyarrow import parquet


def write_table(file, rows, end="\n", ascii_only=False):
    """Write rows as the kind of file that its name says, and return its path."""
    if file.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    elif file.suffix in (".jsonl", ".ndjson"):
        file.write_bytes("".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows).encode())
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            cut = "\t" if file.suffix == ".tsv" else ","
            # quoted, or Python's writer leaves a lone "\r" as it is, which no reader can tell from the end of a line
            writer = csv.DictWriter(stream, list(rows[0]), delimiter=cut, lineterminator=end, quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)
    return str(file)


def write_beir(folder, documents, queries, qrels, end="\n", ascii_only=False):
    """Write a corpus in BEIR layout, anew, and return its path."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "qrels").mkdir(parents=True)
    texts = [{"_id": key, "title": title, "text": text} for key, (title, text) in documents.items()]
    asked = [{"_id": key, "text": text} for key, text in queries.items()]
    for name, rows in (("corpus.jsonl", texts), ("queries.jsonl", asked)):
        write_table(folder / name, rows, end, ascii_only)
    judged = [f"{query}\t{key}\t{grade}" for query, grades in qrels.items() for key, grade in grades.items()]
    (folder / "qrels" / "test.tsv").write_bytes(end.join(["query-id\tcorpus-id\tscore", *judged, ""]).encode())
    return str(folder)
