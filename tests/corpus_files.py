"""Corpora as files: in BEIR layout, and as JSON Lines."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path


def jsonl(rows: Iterable[dict], end: str = "\n", ascii_only: bool = False) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows).encode()


def write_beir(
    folder: Path, documents: Mapping[str, dict], queries: Mapping[str, str], qrels: Mapping[str, dict], *written: object
) -> Path:
    """Write documents (title and text), queries and their graded documents into a new folder; `written` as in jsonl."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "qrels").mkdir(parents=True)
    asked = [{"_id": key, "text": text} for key, text in queries.items()]
    (folder / "corpus.jsonl").write_bytes(jsonl([{"_id": key, **one} for key, one in documents.items()], *written))
    (folder / "queries.jsonl").write_bytes(jsonl(asked, *written))
    judged = [f"{query}\t{key}\t{grade}" for query, grades in qrels.items() for key, grade in grades.items()]
    end = written[0] if written else "\n"
    (folder / "qrels" / "test.tsv").write_bytes(end.join(["query-id\tcorpus-id\tscore", *judged, ""]).encode())
    return folder
