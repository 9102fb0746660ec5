"""The corpus of docstrings: which are taken, from which packages, and that it is the same everywhere."""

import importlib.metadata
import re
from collections import Counter
from pathlib import PurePosixPath

import pytest
from workbook import paths
from workbook.corpora import corpora, python_docs
from workbook.corpora.python_docs import Docstring
from workbook.errors import WorkbookError

BODY = " ".join(f"word{number}" for number in range(20))
DOCSTRING = f'"""A docstring long enough.\n\n{BODY}"""'


def parse(source):
    return list(python_docs.parse(source.encode(), "pkg:mod"))


def test_the_first_paragraph_is_the_summary_and_the_rest_one_line():
    source = f'"""Make a small\n    thing at once.\n\n    {BODY}\n\n        More of it.\n    """'
    assert parse(source) == [Docstring("pkg:mod", "Make a small thing at once.", f"{BODY} More of it.")]


@pytest.mark.parametrize(("length", "taken"), [(3, False), (4, True), (40, True), (41, False)])
def test_a_summary_has_4_to_40_words(length, taken):
    summary = " ".join(["say"] * length)
    assert bool(parse(f'"""{summary}\n\n{BODY}"""')) is taken


@pytest.mark.parametrize("body", ["", BODY.removesuffix(" word19"), f"{BODY} Do as I\nsay, please."])
def test_a_body_too_short_or_with_the_summary_in_it_is_dropped(body):
    assert parse(f'"""Do as I say\n\n{body}"""') == []


def test_names_are_those_of_the_nesting_in_the_order_of_the_source():
    source = f"""{DOCSTRING}
class Outer:
    {DOCSTRING}
    class Inner:
        async def method(self):
            {DOCSTRING}
def plain():
    def nested():
        {DOCSTRING}
"""
    names = ["pkg:mod", "pkg:mod.Outer", "pkg:mod.Outer.Inner.method", "pkg:mod.plain.nested"]
    assert [entry.id for entry in parse(source)] == names


@pytest.mark.parametrize("line", [b"def broken(:", b"'\xff'", b"\0"], ids=["syntax", "encoding", "null byte"])
def test_a_source_that_does_not_parse_gives_nothing(line):
    assert list(python_docs.parse(DOCSTRING.encode() + b"\n" + line, "pkg:mod")) == []


@pytest.mark.parametrize(
    "file", ["data.json", "tests/module.py", "Testing/module.py", "_vendor/other.py", "../script.py"]
)
def test_only_a_packages_own_modules_are_sources(file):
    assert python_docs._is_source(PurePosixPath("pkg/module.py"))
    assert not python_docs._is_source(PurePosixPath("pkg", file))


def test_an_installed_package_gives_each_body_once(tmp_path, monkeypatch):
    # b's body is a's but for its case and a character of two forms
    bodies = {"b.py": f"{BODY.upper()} \ufb01n", "a.py": f"{BODY} fin", "tests/c.py": BODY}
    for file, body in bodies.items():
        (tmp_path / "made_up" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made_up" / file).write_text(f'"""The summary of {file} here.\n\n{body}"""')
    info = tmp_path / "made_up-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: made-up\nVersion: 1.0\n")
    (info / "RECORD").write_text("made_up/b.py,,\nmade_up/a.py,,\nmade_up/tests/c.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    harvest = list(python_docs.docstrings({"made-up": "1.0"}))
    assert harvest == [Docstring("made-up:made_up.a", "The summary of a.py here.", f"{BODY} fin")]


def installed(*packages):
    return "".join(f"{package}=={importlib.metadata.version(package)}\n" for package in packages)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A list of packages in place of the committed one."""
    monkeypatch.setattr(python_docs, "PACKAGES", tmp_path / "python_docs.txt")
    python_docs.PACKAGES.write_text(installed("pytest"))
    return python_docs.PACKAGES


def test_the_packages_are_given_by_name_with_their_versions(listed):
    listed.write_text(f"# tqdm==0\n{installed('pytest', 'numpy')}")
    assert list(python_docs.packages().items()) == [
        (name, importlib.metadata.version(name)) for name in ("numpy", "pytest")
    ]


@pytest.mark.parametrize(("pin", "found"), [("pytest==0.0.1", pytest.__version__), ("no-such-package==1.0", "nothing")])
def test_a_pin_that_is_not_installed_is_refused(listed, pin, found):
    listed.write_text(pin)
    with pytest.raises(WorkbookError, match=f"^python_docs.txt pins {pin} but {found} is there; `make clean`"):
        python_docs.build("python-docs")


def test_the_list_has_the_versions_that_are_installed_by_requirements():
    text = (paths.ROOT / "requirements.txt").read_text(encoding="utf-8")
    required = dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)$", text, re.MULTILINE))
    listed = dict(re.findall(r"^(.+)==(.+)$", python_docs.PACKAGES.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed.items() <= required.items()
    assert listed == python_docs.packages()


# the last 50 of the 300 repeat the summaries of the first 50, in capitals
SUMMARIES = [f"Summary of number {n}" for n in range(250)] + [f"SUMMARY OF NUMBER {n}" for n in range(50)]
HARVEST = [Docstring(f"pkg:{n}", summary, f"{BODY} {n}") for n, summary in enumerate(SUMMARIES)]


@pytest.fixture
def harvests(data, listed, monkeypatch):
    """HARVEST in place of the installed packages' docstrings; the list given grows by one with each harvest."""
    calls = []
    monkeypatch.setattr(python_docs, "docstrings", lambda versions: calls.append(versions) or iter(HARVEST))
    monkeypatch.setattr(python_docs, "QUERIES", 50)
    return calls


def test_the_corpus_has_the_size_asked_for_and_answers_its_queries(harvests):
    corpus = corpora.load("python-docs:120")
    assert (len(corpus.documents), len(corpus.queries)) == (120, 50)
    times = Counter(summary.lower() for summary in SUMMARIES)
    assert {times[query.lower()] for query in corpus.query_texts} == {1}
    by_id = {entry.id: entry for entry in HARVEST}
    for query, grades in corpus.qrels.items():
        (document,) = grades
        assert (corpus.queries[query], corpus.documents[document].text) == by_id[document][1:]


def test_built_twice_it_is_the_same_to_the_byte(harvests, tmp_path, monkeypatch):
    built = []
    for data in ("one", "two"):
        monkeypatch.setattr(paths, "DATA", tmp_path / data)
        folder = python_docs.build("python-docs:120")
        built.append({file.name: file.read_bytes() for file in folder.rglob("*.*")})
    assert len(harvests) == 2
    assert sorted(built[0]) == ["corpus.jsonl", "outside.jsonl", "queries.jsonl", "test.tsv"]
    assert built[0] == built[1]


@pytest.mark.parametrize(
    ("size", "said", "times"),
    [
        (49, "ask for 50 documents or more", 0),
        (301, "300 documents, 200 of them .*; ask for 50 to 300, not 301", 1),
    ],
)
def test_a_size_that_cannot_be_had_is_refused_as_soon_as_that_is_known(harvests, data, size, said, times):
    with pytest.raises(WorkbookError, match=said):
        python_docs.build(f"python-docs:{size}")
    assert len(harvests) == times
    assert not data.exists()


def test_it_is_harvested_once_for_a_size_and_its_versions(harvests, listed, tmp_path, monkeypatch):
    folder = python_docs.build("python-docs:120")
    assert python_docs.build("python-docs:120") == folder
    assert len(harvests) == 1
    assert python_docs.build("python-docs:121") != folder
    (tmp_path / "requirements.txt").write_text(installed("pytest", "numpy"))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert python_docs.build("python-docs:120") == folder, "a package in requirements.txt alone changes nothing"
    listed.write_text(installed("numpy"))
    assert python_docs.build("python-docs:120") != folder


@pytest.fixture
def twins(harvests, monkeypatch):
    """40 docstrings of words of their own, and one of 20 that repeats all but a word of another: mates by id."""
    bodies = [" ".join(f"own{n}word{place}" for place in range(30)) for n in range(40)]
    own = [Docstring(f"pkg:{n}", f"The summary of number {n}", body) for n, body in enumerate(bodies)]
    copies = [Docstring(f"pkg:{n}copy", f"The copy of number {n}", f"{bodies[n]} more") for n in range(20)]
    monkeypatch.setattr(python_docs, "docstrings", lambda versions: iter(own + copies))
    monkeypatch.setattr(python_docs, "QUERIES", 5)
    pairs = zip(own, copies, strict=False)
    return {entry.id: mate for one, copy in pairs for entry, mate in [(one, copy.id), (copy, one.id)]}, own + copies


def test_outside_is_what_is_neither_in_the_corpus_nor_nearly_the_same(twins):
    mates, harvest = twins
    inside = set(corpora.load("python-docs:15").documents)
    outside = corpora.unlabelled("python-docs:15")
    near = {entry.id for entry in harvest if mates.get(entry.id) in inside} - inside
    assert near, "no docstring of the corpus has its copy outside: the test says nothing"
    assert set(outside) == {entry.id for entry in harvest} - inside - near
    assert any(mates.get(key) in outside for key in outside), "two that are alike may both be outside"


def test_outside_the_summary_is_the_title(twins):
    by_id = {entry.id: entry for entry in twins[1]}
    outside = corpora.unlabelled("python-docs:15")
    assert all(document == by_id[key][1:] for key, document in outside.items())
    assert {document.title for document in corpora.load("python-docs:15").documents.values()} == {""}


def test_a_corpus_of_all_docstrings_leaves_none_outside(twins):
    assert corpora.unlabelled("python-docs:60") == {}
