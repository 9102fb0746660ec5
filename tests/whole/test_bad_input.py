"""Bad input through the command line: one line that names the place and says what to do, exit code 1, nothing written.

A table of what a user can give wrong. What each module says of its own input is in that module's tests.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pytest
import smoke
import yaml
from pyarrow import parquet
from workbook import __main__, paths
from workbook.experiments import grid, ingest_runs
from workbook.names import ACROSS
from workbook.qdrant import patience
from workbook.runs import plan, runner
from written_files import write_beir

RUN = ["run", "--profile", "smoke", "--notebook"]
SEARCH, TRAINING, OWN = "03_matryoshka_dimensions", "05_train_your_own", "06_your_data"


class Bad(NamedTuple):
    """What is given; how it is made in a folder, which gives the command line; patterns for place and advice."""

    given: str
    make: Callable[[Path, pytest.MonkeyPatch], list[str]]
    place: str
    advice: str


def command(*arguments):
    return lambda folder, patch: [one.replace("FOLDER", str(folder)) for one in arguments]


def planned(text):
    """A plan in place of runs.yaml, whose profile `p` is run."""

    def make(folder, patch):
        file = folder / "runs.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        patch.setattr(runner, "read", lambda _: plan.read(file))
        return ["run", "--profile", "p"]

    return make


def parameter(notebook, name, value, **others):
    """The smoke profile's notebook with one parameter, or more, of another value."""
    profile = plan.read(plan.PLAN)["profiles"]["smoke"]
    own = {**profile["notebooks"][notebook], name: value, **others}
    return planned(yaml.safe_dump({"profiles": {"p": {**profile, "notebooks": {notebook: own}}}}))


def engine(url):
    """The server engine, at an address."""

    def make(folder, patch):
        patch.setenv("QDRANT_URL", url)
        patch.setattr(patience, "PAUSE", 0)
        return parameter(SEARCH, "engine_name", "server")(folder, patch)

    return make


def beir_data_dir(value):
    def make(folder, patch):
        patch.setenv("BEIR_DATA_DIR", value.replace("FOLDER", str(folder)))
        return [*RUN, SEARCH, "--corpus", "scifact"]

    return make


def local_sets(folder_given):
    """Every set in a folder that has none."""

    def make(folder, patch):
        patch.setenv("BEIR_DATA_DIR", folder_given.replace("FOLDER", str(folder)))
        return [*RUN, SEARCH, "--corpus", "local"]

    return make


def several(*judged):
    """Two corpora alike but for how many queries of each are judged; of none, they have no query in common."""

    def make(folder, patch):
        documents = {f"d{number}": (f"Title {number}", f"Text {number}.") for number in range(30)}
        queries = {f"q{number}": f"question {number}" for number in range(12)}
        folders = []
        for number, count in enumerate(judged):
            own = {f"q{query}": {f"d{query}": 1} for query in range(count)} or {"other": {"d1": 1}}
            folders.append(write_beir(folder / f"set{number}", documents, queries, own))
        return [*RUN, SEARCH, "--corpus", ",".join(map(str, folders))]

    return make


def corpus(file, content, notebook=SEARCH):
    """A corpus in BEIR layout, 30 documents and 12 queries, with a file spoilt: by what is put to its end, or done.

    `strict`, or a row or two would be told and worked round.
    """

    def make(folder, patch):
        documents = {f"d{number}": (f"Title {number}", f"Text {number}.") for number in range(30)}
        queries = {f"q{number}": f"question {number}" for number in range(12)}
        judged = {f"q{number}": {f"d{number}": 1} for number in range(12)}
        write_beir(folder / "tiny", documents, queries, judged)
        spoil(folder / "tiny" / file, content)
        return parameter(notebook, "corpus", str(folder / "tiny"), strict=True)(folder, patch)

    return make


def spoil(file, content):
    if callable(content):
        file.unlink()
        content(file)
    else:
        with file.open("ab") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())


TABLE = "id,title,text\n" + "".join(f"{number},Title {number},Some text {number} is here.\n" for number in range(40))
JUDGED = "query,document,grade\n" + "".join(f"ask {number},{number},1\n" for number in range(20))


def own(name, content, judged=None, **parameters):
    """A file of one's own, and maybe one of judgements, `strict`."""

    def make(folder, patch):
        file = folder / name
        file.touch()
        spoil(file, content)
        if judged is not None:
            (folder / "judged.csv").touch()
            spoil(folder / "judged.csv", judged)
            parameters["judged"] = str(folder / "judged.csv")
        return parameter(OWN, "corpus", str(file), strict=True, **parameters)(folder, patch)

    return make


def rows(**columns):
    """A Parquet file of these columns."""
    return lambda file: parquet.write_table(pyarrow.table(columns), file)


def model(name, content):
    """A model's folder with a file spoilt: an embedding table of Sentence Transformers that only seems to be one."""

    def make(folder, patch):
        (folder / "mine").mkdir()
        kind = "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"
        modules = json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}])
        for file, text in {"modules.json": modules, "tokenizer.json": "{}", "model.safetensors": ""}.items():
            (folder / "mine" / file).write_text(text)
        spoil(folder / "mine" / name, content)
        return [*RUN, SEARCH, "--model", str(folder / "mine")]

    return make


def written(text):
    return lambda file: file.write_text(text)


P = "profiles:\n  p:\n    notebooks:\n      03_matryoshka_dimensions: "
EXPECTED = "{profile: p, notebook: 03_matryoshka_dimensions, metric: a, value: 1, tolerance: 1, where: {model: a}}"
LAUGHS = "a: &a [x, x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise("abcdefghij"))

OPTIONS = [
    Bad("no command", command(), r"\{run,report,readme,bench,bench-grid,bench-encoders,bench-static\}", "--help"),
    Bad("an unknown command", command("walk"), "'walk'", "choose from"),
    Bad("an unknown option", command("run", "--profil3"), "--profil3", "--help"),
    Bad("an option without its value", command("run", "--corpus"), "--corpus", "--help"),
    Bad("an option of another command", command("report", "--notebook", "x"), "--notebook", "--help"),
    Bad("an unknown profile", command("run", "--profile", "nightly"), "profile 'nightly'", "give one of smoke"),
    Bad("an empty profile", command("report", "--profile", ""), "profile ''", "give one of smoke"),
    Bad("a profile out of the folder", command("readme", "--profile", "../x"), r"'\.\./x'", "give one of smoke"),
    Bad("a profile of two lines", command("readme", "--profile", "a\nb"), r"'a\\nb'", "give one of smoke"),
    Bad("a profile with a NUL byte", command("bench", "--profile", "\0"), r"'\\x00'", "give one of smoke"),
    Bad("an unknown notebook", command(*RUN, "bad"), "notebook 'bad'", "give one of 01_"),
    Bad("an absolute notebook", command(*RUN, "/etc/passwd"), "'/etc/passwd'", "give one of 01_"),
    Bad("a notebook's file", command(*RUN, f"{SEARCH}.ipynb"), r"\.ipynb'", "give one of 01_"),
    Bad("an unknown corpus", command(*RUN, SEARCH, "--corpus", "nope"), "corpus 'nope'", "give one of sample"),
    Bad("an empty corpus", command(*RUN, SEARCH, "--corpus", ""), "corpus ''", "give one of sample"),
    Bad("an unknown corpus among several", command(*RUN, SEARCH, "--corpus", "sample,nope"), "corpus nope: 03",
        "give one of sample"),
    Bad("one corpus twice", command(*RUN, SEARCH, "--corpus", "sample, sample"), "corpus sample", "take one out"),
    Bad("nothing between commas", command(*RUN, SEARCH, "--corpus", ","), "corpus ','", "give one of sample"),
    Bad("one corpus to compare with others", command(*RUN, ACROSS, "--corpus", "sample"), ACROSS, "give more, as CORP"),
    Bad("several corpora, none of which can be loaded", several(0, 0), r"no judgements|queries\.jsonl does not have",
        "none of the corpora can be used"),
    Bad("the same corpus under two names", several(12, 12), "set0 and set1", "take one out"),
    Bad("no set at hand", local_sets("FOLDER"), r"corpus\.jsonl", "set BEIR_DATA_DIR to a folder"),
    Bad("a corpus that is a folder", command(*RUN, SEARCH, "--corpus", "FOLDER"), "parameter corpus", "a folder with"),
    Bad("a corpus that is a device", command(*RUN, OWN, "--corpus", "/dev/zero"), "'/dev/zero'", "give a .jsonl"),
    Bad("a corpus with a NUL byte", command(*RUN, SEARCH, "--corpus", "\0"), r"'\\x00'", "give one of sample"),
    Bad("a corpus not in UTF-8", command(*RUN, SEARCH, "--corpus", "\udcff"), "parameter corpus", "change it"),
    Bad("a corpus too long for a path", command(*RUN, OWN, "--corpus", "x" * 5_000), "no corpus 'xxx", "give a .jsonl"),
    Bad("documentation of no documents", command("report", "--corpus", "python-docs:0"), "python-docs:0",
        "ask for 500"),
    Bad("an unknown model", command(*RUN, SEARCH, "--model", "nope"), "model 'nope'", "give one of all-Mini"),
    Bad("an empty model", command("report", "--profile", "smoke", "--model", ""), "model ''", "give one of all-Mini"),
    Bad("a model too long for a path", command(*RUN, SEARCH, "--model", "x" * 300), "static_model", "give one of"),
    Bad("a hub id without revision", command(*RUN, SEARCH, "--model", "owner/name"), "'owner/name'", "name@revision"),
    Bad("a model to measure a grid of", command("bench-grid", "--model", "nope"), "model 'nope'", "give one of"),
    Bad("a form of a rival", command("bench-encoders", "--corpus", "sample", "--model", "tiny-static", "--rival",
        "tiny-transformer", "--form", "int2"), "unknown variant 'int2'", "give one of float32"),
    Bad("a corpus to measure a grid on", command("bench-grid", "--corpus", "nope"), "corpus 'nope'", "give one of"),
]  # fmt: skip
PLANS = [
    Bad("a plan cut short", planned("profiles: ["), r"runs\.yaml:1", "correct it there"),
    Bad("a plan with tabs", planned("profiles:\n\tp: {}"), r"runs\.yaml:2", "correct it there"),
    Bad("a plan with a NUL byte", planned("profiles: \0"), r"runs\.yaml", "read as YAML in UTF-8"),
    Bad("a plan not in UTF-8", planned(b"profiles: \xff"), r"runs\.yaml", "read as YAML in UTF-8"),
    Bad("a plan that is empty", planned(""), r"runs\.yaml: the plan", "`name: value`"),
    Bad("a plan that runs something", planned(f"{P}!!python/object/apply:os.system [ls]"), "yaml:4",
        "correct it there"),
    Bad("a plan of ten lines for millions", planned(LAUGHS), r"runs\.yaml:2", "write out what it stands for"),
    Bad("a plan that holds itself", planned(f"{P}{{words: &a [*a]}}"), r"runs\.yaml:4", "write out"),
    Bad("a plan too deep", planned("profiles: " + "[" * 2_000), r"runs\.yaml", "is it another file"),
    Bad("a name twice", planned(f"{P}{{repeats: 1, repeats: 2}}"), r"runs\.yaml:4.*repeats", "take one out"),
    Bad("a profile twice", planned("profiles: {p: {}, p: {}}"), r"runs\.yaml:1.*p is there twice", "take one out"),
    Bad("profiles in a list", planned("profiles: [p]"), r"runs\.yaml: profiles", "`name: value`"),
    Bad("a profile that is nothing", planned("profiles: {p: }"), "profile p", "`name: value`"),
    Bad("a profile without notebooks", planned("profiles: {p: {}}"), "profile p lacks notebooks", r"\{\}"),
    Bad("a profile of no notebooks", planned("profiles: {p: {notebooks: {}}}"), "profile p", "give one"),
    Bad("an unknown part of a profile", planned(P + "{}\n    times: 2"), "profile p knows no times", "give notebooks"),
    Bad("a misspelt shared parameter", planned(P + "{}\n    parameters: {corpsu: a}"), "corpsu", ", corpus, "),
    Bad("parameters in a list", planned(P + "{}\n    parameters: [a]"), "parameters of profile p", "`name: value`"),
    Bad("a time that is none", planned(P + "{}\n    cell_timeout_s: .nan"), "cell_timeout_s of profile p", "1 or more"),
    Bad("a notebook that is not there", planned("profiles: {p: {notebooks: {99_no: }}}"), "99_no", "give one that is"),
    Bad("a notebook elsewhere", planned("profiles: {p: {notebooks: {../x: }}}"), r"'\.\./x'", "give up to 100 letters"),
    Bad("a notebook that is a number", planned("profiles: {p: {notebooks: {1: }}}"), "1 cannot be", "letters"),
    Bad("an unknown parameter", planned(f"{P}{{repeat: 3}}"), "03_.*no parameter repeat", "it has corpus"),
    Bad("a parameter without a name", planned(f"{P}{{1: 3}}"), "03_.*no parameter 1", "it has corpus"),
    Bad("an expected value by itself", planned(f"{P}{{}}\nexpected: 1"), r"runs\.yaml: expected", "be a list"),
    Bad("an expected value not planned", planned(f"{P}{{}}\nexpected: [{EXPECTED.replace('p,', 'q,')}]"), "q/03",
        "plan it"),
    Bad("a tolerance below 0", planned(f"{P}{{}}\nexpected: [{EXPECTED.replace('tolerance: 1', 'tolerance: -1')}]"),
        "tolerance of", "must be a number"),
    Bad("a metric that is a list", planned(f"{P}{{}}\nexpected: [{EXPECTED.replace(': a,', ': [a],')}]"), "p/03",
        "give a"),
]  # fmt: skip
PARAMETERS = [
    Bad("a parameter that is a date", planned(f"{P}{{corpus: 2020-01-01}}"), r"runs\.yaml:4", "quote it"),
    Bad("a number of another base", planned(f"{P}{{repeats: 010}}"), r"runs\.yaml:4.*010 is 8", "write 8, or quote it"),
    Bad("a time of the day", planned(f"{P}{{limit: 1:30}}"), r"runs\.yaml:4.*1:30 is 90", "write 90, or quote it"),
    Bad("a yes", planned(f"{P}{{strict: yes}}"), r"runs\.yaml:4.*yes is true", "write true, or quote it"),
    Bad("a text for a number", planned(f'{P}{{margin: "1e-2"}}'), "parameter margin", "write 0.01"),
    Bad("a number for a name", planned(f"{P}{{corpus: 7}}"), "parameter corpus", "quote it"),
    Bad("neither true nor false", planned(f"{P}{{strict: 1}}"), "parameter strict", "neither true nor false"),
    Bad("nothing for a model", parameter(SEARCH, "transformer_model", None), "parameter transformer_model",
        "wrong type"),
    Bad("false for a list", parameter(SEARCH, "dimensions", False), "parameter dimensions", "is not a list"),
    Bad("a dimension twice", parameter(SEARCH, "dimensions", [16, 16]), "parameter dimensions",
        "names something twice"),
    Bad("a dimension too many", parameter(SEARCH, "dimensions", [65]), "tiny-static has 64", "cannot be truncated to"),
    Bad("a negative dimension", parameter(SEARCH, "dimensions", [-1]), "parameter dimensions", "above 0"),
    Bad("a margin that is no number", parameter(SEARCH, "margin", float("nan")), "parameter margin",
        "give one that is"),
    Bad("repeats without an end", parameter(SEARCH, "repeats", 10**30), "parameter repeats", "give 1,000 at most"),
    Bad("too few results", parameter(SEARCH, "limit", 9), "parameter limit", "give 10 or more"),
    Bad("an unknown engine", parameter(SEARCH, "engine_name", ["edge"]), "parameter engine_name", "give one of edge"),
    Bad("half a surrogate pair", parameter("01_static_vs_transformer", "query", "\ud800"), "parameter query",
        "change it"),
    Bad("texts too long for memory", parameter("02_encoding_speed", "words", [10**9]), "parameter words",
        "100,000 at most"),
    Bad("an unknown form", parameter("02_encoding_speed", "forms", ["float8"]), "parameter forms", "OpenVINO bfloat16"),
    Bad("a price below zero", parameter("02_encoding_speed", "gpu_hour", -1), "parameter gpu_hour", "0 or above 0"),
    Bad("infinite seconds", parameter("02_encoding_speed", "round_seconds", float("inf")), "round_seconds",
        "not finite"),
    Bad("a fit to nothing", parameter("02_encoding_speed", "fit_from", 10**9), "parameter fit_from",
        "give a smaller one"),
    Bad("a seed too large", parameter(TRAINING, "seeds", [2**32]), "parameter seeds", "4,294,967,295 at most"),
    Bad("endless epochs", parameter(TRAINING, "candidates", [{"epochs": 10**9}]), "candidates: epochs",
        "from 1 to 1,000"),
    Bad("a width beyond memory", parameter(TRAINING, "candidates", [{"width": 10**9}]), "candidates: width", "at most"),
    Bad("a dimension the start lacks", parameter(TRAINING, "candidates", [{"dimensions": [99]}]), "tiny-static",
        "truncated"),
    Bad("a split elsewhere", parameter(TRAINING, "labelled_split", "../../x"), "labelled_split", "without a folder"),
    Bad("a split that is not there", parameter(TRAINING, "labelled_split", "train"), r"qrels.train\.tsv", "is missing"),
    Bad("more to train on than there is", parameter(TRAINING, "sizes", [10**6]), "parameter sizes", "has .* documents"),
    Bad("a run elsewhere", parameter("08_should_you_pay_attention", "run", "../x"), "parameter run",
        "without a folder"),
    Bad("a place without limits", parameter("08_should_you_pay_attention", "places", {"phone": {}}), "places: phone",
        "has"),
    Bad("an unknown language", parameter(OWN, "language", "klingon"), "parameter language", "klingon"),
    Bad("a collection elsewhere", parameter(OWN, "collection", "~no-such-user/shard"), "~no-such-user/shard",
        "give the folder of one"),
]  # fmt: skip
CORPORA = [
    Bad("a document id twice", corpus("corpus.jsonl", '{"_id": "d1", "text": "x"}'), r"corpus\.jsonl:31",
        "must be unique"),
    Bad("a document without text", corpus("corpus.jsonl", '{"_id": "x", "text": " "}'), r"corpus\.jsonl:31",
        "give it a text"),
    Bad("an id that is a number", corpus("corpus.jsonl", '{"_id": 1, "text": "x"}'), r"corpus\.jsonl:31",
        "both strings"),
    Bad("an id with a tab", corpus("corpus.jsonl", r'{"_id": "a\tb", "text": "x"}'), r"corpus\.jsonl:31",
        "take it out"),
    Bad("a line cut short", corpus("corpus.jsonl", '{"_id": "x", "te'), r"corpus\.jsonl:31", "cut short"),
    Bad("a line too deep", corpus("corpus.jsonl", "[" * 100_000), r"corpus\.jsonl:31", "not usable JSON"),
    Bad("a document not in UTF-8", corpus("corpus.jsonl", b"\xff"), r"corpus\.jsonl:31", "save it as UTF-8"),
    Bad("half a pair in a title", corpus("corpus.jsonl", r'{"_id": "x", "title": "\ud800", "text": "x"}'), ":31",
        "remove it"),
    Bad("NUL bytes in a corpus", corpus("corpus.jsonl", "\0\0"), r"corpus\.jsonl:31", "cut short"),
    Bad("a pipe for a corpus", corpus("corpus.jsonl", os.mkfifo), "parameter corpus", "a folder with corpus.jsonl"),
    Bad("a query without text", corpus("queries.jsonl", '{"_id": "x", "text": ""}'), r"queries\.jsonl:13",
        "give it a text"),
    Bad("no queries", corpus("queries.jsonl", lambda _: None), r"queries\.jsonl is missing", "BEIR layout is"),
    Bad("a folder for queries", corpus("queries.jsonl", os.mkdir, OWN), r"queries\.jsonl is a folder",
        "put a file there"),
    Bad("a pipe for queries", corpus("queries.jsonl", os.mkfifo, OWN), r"queries\.jsonl is a folder, a pipe",
        "put a file"),
    Bad("a link to itself", corpus("qrels/test.tsv", lambda file: file.symlink_to(file), OWN), r"test\.tsv",
        "put a file there"),
    Bad("an endless file", corpus("queries.jsonl", lambda file: file.symlink_to("/dev/zero")), "/dev/zero",
        "put the file"),
    Bad("qrels of two columns", corpus("qrels/test.tsv", "q1\td9"), r"test\.tsv:14", "tab separated"),
    Bad("qrels of an unknown query", corpus("qrels/test.tsv", "x\td9\t1"), r"test\.tsv:14",
        "queries.jsonl does not have"),
    Bad("qrels of an unknown document", corpus("qrels/test.tsv", "q1\tx\t1"), r"test\.tsv:14",
        "corpus.jsonl does not have"),
    Bad("a grade with a point", corpus("qrels/test.tsv", "q1\td9\t1.5"), r"test\.tsv:14", "whole number"),
    Bad("an enormous grade", corpus("qrels/test.tsv", "q1\td9\t2000000000"), r"test\.tsv:14", "1,000 at most"),
    Bad("nothing relevant", corpus("qrels/test.tsv", written("q1\td1\t0\n")), r"test\.tsv", "every score would be 0"),
]  # fmt: skip
FILES = [
    Bad("a file of an unknown kind", own("a.xlsx", TABLE), r"a\.xlsx", "convert it"),
    Bad("a table that is a folder", own("a.csv", os.mkdir), r"a\.csv", "give a .jsonl"),
    Bad("a table that is a pipe", own("a.csv", os.mkfifo), r"a\.csv", "give a .jsonl"),
    Bad("an empty table", own("a.csv", ""), r"a\.csv", "is empty"),
    Bad("a row too short", own("a.csv", TABLE + "1,2\n"), r"a\.csv:42", "is a quote missing"),
    Bad("an open quote", own("a.csv", TABLE + '99,"abc,text\n'), r"a\.csv:42", "is a quote missing"),
    Bad("a field of megabytes", own("a.csv", TABLE + "99,x," + "y" * 2**24 + "z\n"), r"a\.csv:42",
        "is a quote missing"),
    Bad("a table with semicolons", own("a.csv", "id;text\n1;a\n"), r"a\.csv", "Save it with commas"),
    Bad("a column twice", own("a.csv", "id,text,text\n1,a,b\n"), r"column 'text'.*a\.csv", "rename one of them"),
    Bad("a column that is not there", own("a.csv", TABLE, columns={"text": "body"}), r"'body' in .*a\.csv",
        "it has id"),
    Bad("an id twice in a table", own("a.csv", TABLE + "1,x,y\n"), r"a\.csv:42", "must be unique"),
    Bad("a table of too few rows", own("a.csv", "id,text\n1,a\n"), r"a\.csv", "give more documents"),
    Bad("a list in JSONL", own("a.jsonl", "[1]\n"), r"a\.jsonl:1", "needs to be an object"),
    Bad("a number for a text", own("a.jsonl", '{"text": "a"}\n{"text": 5}\n'), r"a\.jsonl:2", "convert it"),
    Bad("a Parquet cut short", own("a.parquet", b"PAR1\xff\xffPAR1"), r"a\.parquet", "cut short"),
    Bad("numbers in a Parquet", own("a.parquet", rows(id=["a"], text=[1])), r"a\.parquet", "convert it"),
    Bad("a judgement of no document", own("a.csv", TABLE, JUDGED + "x,zz,1\n"), r"judged\.csv:22", r"a\.csv lacks"),
    Bad("a judgement with a point", own("a.csv", TABLE, JUDGED + "x,3,1.5\n"), r"judged\.csv:22", "whole number"),
    Bad("a judgement twice", own("a.csv", TABLE, JUDGED + "ask 1,1,1\n"), r"judged\.csv:22", "judged twice"),
    Bad("a folder of judgements", own("a.csv", TABLE, os.mkdir), r"judged\.csv", "give one"),
]  # fmt: skip
MODELS = [
    Bad("modules cut short", model("modules.json", written("[")), r"modules\.json", "give a folder that Sentence"),
    Bad("a module that is no file", model("tokenizer.json", os.mkfifo), r"tokenizer\.json", "remove it"),
    Bad("a model without its numbers", model("model.safetensors", lambda _: None), "mine cannot be opened",
        "saved, whole"),
    Bad("a model whose numbers are cut", model("model.safetensors", b"\x08"), "mine cannot be opened", "saved, whole"),
]  # fmt: skip
ENVIRONMENT = [
    Bad("sets that are nowhere", beir_data_dir("/nope"), "BEIR_DATA_DIR is /nope", "correct it"),
    Bad("sets that are a file", beir_data_dir(__file__), "BEIR_DATA_DIR is", "correct it"),
    Bad("sets with a name too long", beir_data_dir("x" * 5_000), "BEIR_DATA_DIR is xxx", "correct it"),
    Bad("a server without an address", engine(""), "QDRANT_URL", "needs QDRANT_URL"),
    Bad("a server that is nonsense", engine("http://localhost:abc"), "QDRANT_URL", "give the address"),
    Bad("a server that is not there", engine("http://127.0.0.1:1"), "QDRANT_URL does not answer", "is it running"),
]  # fmt: skip
BAD = [*OPTIONS, *PLANS, *PARAMETERS, *CORPORA, *FILES, *MODELS, *ENVIRONMENT]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder for what is given, and beside it data, figures and reports with a file each."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("BEIR_DATA_DIR", "QDRANT_URL", "WORKBOOK_RUN"):
        monkeypatch.delenv(name, raising=False)
    with smoke.folders(tmp_path):
        for folder in (paths.DATA, paths.FIGURES, paths.REPORTS):
            folder.mkdir()
            (folder / "kept").write_text("kept")
        (tmp_path / "given").mkdir()
        yield tmp_path / "given"


def stored():
    """Hash of every file in the workbook's folders; of locks, which are empty and for a run's life, nothing."""
    files = [file for folder in (paths.DATA, paths.FIGURES, paths.REPORTS) for file in folder.rglob("*")]
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        for file in files
        if not file.is_relative_to(paths.DATA / "locks")
    }


def check(bad, exit_code, errors):
    assert exit_code == 1
    assert re.fullmatch(r"error: [^\n]+\n", errors), errors
    assert re.search(bad.place, errors), errors
    assert re.search(bad.advice, errors), errors


@pytest.mark.parametrize("bad", BAD, ids=[bad.given for bad in BAD])
def test_bad_input_is_one_line_and_nothing_is_written(bad, home, monkeypatch, capsys):
    for module, name in ((runner, "execute"), (grid, "encode"), (ingest_runs, "measure")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("the work began"))
    arguments, before = bad.make(home, monkeypatch), stored()
    exit_code = __main__.main(arguments)
    check(bad, exit_code, capsys.readouterr().err)
    assert stored() == before


@pytest.mark.slow
@pytest.mark.parametrize("given", ["an unknown option", "a corpus not in UTF-8"])
def test_it_is_the_same_in_a_process_of_its_own(given, home, monkeypatch):
    bad = next(bad for bad in BAD if bad.given == given)
    arguments, before = bad.make(home, monkeypatch), stored()
    environment = {**os.environ, "PYTHONPATH": str(paths.NOTEBOOKS)}
    done = subprocess.run(
        [sys.executable, "-m", "workbook", *arguments], cwd=home, env=environment, capture_output=True, text=True
    )
    check(bad, done.returncode, done.stderr)
    assert stored() == before


def test_each_row_of_the_table_has_a_name_of_its_own():
    assert len({bad.given for bad in BAD}) == len(BAD)
