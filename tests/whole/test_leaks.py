"""Nothing of the machine, its user or its secrets is in what a run leaves; secrets are not even printed."""

import base64
import gzip
import html
import io
import json
import os
import re
import shutil
import zipfile
from urllib.parse import quote

import numpy as np
import pytest
from elsewhere import PRIVATE, SECRETS, traces
from matplotlib.figure import Figure
from workbook import paths
from workbook.corpora import corpora
from workbook.qdrant.server import identity

WORD = PRIVATE[0]
FAILING = "03_matryoshka_dimensions"
pytestmark = pytest.mark.slow
SERVER = """
from workbook.runs import plan, runner
from workbook.runs.parts import Part
job = plan.Job("01_static_vs_transformer", {**plan.declared_parameters("01_static_vs_transformer"), "corpus": "sample",
    "static_model": "tiny-static", "transformer_model": "tiny-transformer", "engine_name": "server"}, 300)
print(runner.execute(Part("server", "", [job]), job).error)
"""


@pytest.fixture(scope="module")
def given(elsewhere):
    """A corpus and a model by their paths, and a notebook that fails with a path in its error; its runs and reports."""
    corpus, model = elsewhere.folder / "qvxclientname" / "shop", elsewhere.folder / "qvxmodelvault" / "tiny"
    shutil.copytree(paths.SAMPLE, corpus)
    shutil.copytree(next((elsewhere.folder / "data" / "models").glob("tiny-static-*")), model)
    figure = f"{corpora.load(str(corpus)).slug}-matryoshka.png"
    (elsewhere.folder / "figures" / figure).mkdir(0o700)  # in the figure's place, open as the rest
    of_mine = ["--profile", "smoke", "--corpus", str(corpus), "--model", str(model)]
    ran = elsewhere.workbook("run", *of_mine, "--notebook", "01_static_vs_transformer", "--notebook", FAILING)
    reports = [elsewhere.workbook("report", *of_mine), elsewhere.workbook("report", "--profile", "smoke")]
    return elsewhere, ran, reports


def written(word):
    """The word in each kind of file that is looked into."""
    packed, picture, array = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", f"{word} " * 50)
    Figure(figsize=(1, 1)).savefig(picture, format="png", metadata={"Comment": f"ü {word}"})
    np.save(array, np.array([f"/home/{word}"]))
    yield from (packed.getvalue(), picture.getvalue(), array.getvalue(), gzip.compress(f"/{word}/".encode()))
    for way in (str, json.dumps, html.escape, quote):
        yield way(f"""/a "b" <c> '{word}' & more""").encode()
    for before in range(3):
        code = ("." * before + f"{word}, and more after it, and more, and more").encode()
        yield b"data:text/plain;base64," + base64.b64encode(code)
    yield json.dumps({"image/png": base64.b64encode(picture.getvalue()).decode() + "\n"}).encode()


def test_the_search_finds_a_word_however_it_is_written():
    for content in written(WORD):
        assert traces(content) == {WORD}, content[:80]
    assert not any(traces(content) for content in written("harmless"))


def test_nothing_private_is_in_a_file_or_its_name(given):
    elsewhere, *_ = given
    looked_into = 0
    for file in elsewhere.left:
        named = str(file.relative_to(elsewhere.folder)).encode()
        assert not traces(named) and not traces(file.read_bytes()), file
        looked_into += 1
    kinds = {file.suffix for file in elsewhere.left}
    assert {".ipynb", ".html", ".csv", ".json", ".png", ".npy", ".safetensors", ".md", ".lock"} <= kinds
    assert looked_into > 300


def test_a_notebook_that_failed_tells_its_error_without_the_folders(given):
    elsewhere, ran, reports = given
    [run] = (elsewhere.folder / "reports").glob("smoke+shop-*+tiny-*")
    assert ran.returncode == 1 and all(report.returncode == 0 for report in reports), ran.stderr.decode()
    for file in (run / f"{FAILING}.ipynb", run / f"{FAILING}.html", run / "index.html"):
        assert re.search(r"shop-[0-9a-f]{8}-matryoshka\.png", file.read_text(encoding="utf-8")), file
    assert "./figures/" in (run / f"{FAILING}.ipynb").read_text(encoding="utf-8")


def test_no_secret_is_printed(given):
    """Folders may be: who runs it needs to know where things are, and what is printed stays at that terminal."""
    elsewhere, ran, reports = given
    printed = [(elsewhere.folder / "printed").read_bytes()]
    printed += [text for done in (ran, *reports) for text in (done.stdout, done.stderr)]
    assert b"executed notebooks:" in printed[0] and b"FAILED" in printed[1]
    for text in printed:
        assert not traces(text, SECRETS)


def test_a_server_that_does_not_answer_is_named_by_nothing_private(elsewhere):
    elsewhere.environment["QDRANT_URL"] = "http://qvxloginname:qvxloginpass@localhost:9/qvxhostname"  # nobody is there
    done = elsewhere.python("-c", SERVER)
    notebook = (elsewhere.folder / "reports" / "server" / "01_static_vs_transformer.ipynb").read_bytes()
    assert b"Qdrant at QDRANT_URL does not answer" in done.stdout and b"does not answer" in notebook
    assert not traces(done.stdout + done.stderr, SECRETS)
    assert not [file for file in elsewhere.left if traces(file.read_bytes())]


def test_a_server_is_the_same_whoever_logs_in_and_their_password_is_not_even_hashed(server, monkeypatch):
    known = identity()
    monkeypatch.setenv("QDRANT_URL", os.environ["QDRANT_URL"].replace("://", "://ann:some-password@"))
    assert identity() == known
