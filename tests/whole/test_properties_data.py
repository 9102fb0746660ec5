"""What holds for any data: rules that hypothesis tries to break with texts, ids, parameters and secrets."""

import dataclasses
import html
import json
import shutil
from functools import partial
from urllib.parse import quote

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from workbook import errors, names, paths, redact
from workbook.corpora import corpora, document_streams, lines, own_data, table_files
from workbook.corpora.corpora import Corpus, Document
from workbook.corpora.document_streams import SHARD, Stream, assembled
from workbook.corpora.own_data import Source
from workbook.embedding import model_files
from workbook.errors import WorkbookError
from workbook.figures import tables
from workbook.qdrant import server
from workbook.runs import markup, parameters, plan
from written_files import write_beir, write_table

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
SAID = TEXT.filter(str.strip)
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\t\r\n"), min_size=1, max_size=12).filter(str.strip)
DOCUMENTS = st.dictionaries(IDS, st.builds(Document, TEXT, TEXT).filter(lambda one: one.full), min_size=1, max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n"])
MANY = 3 * settings.default.max_examples  # of what takes no time
NOTEBOOKS = sorted(file.stem for file in paths.NOTEBOOKS.glob("0*.ipynb"))


@st.composite
def beir_corpora(draw):
    """A corpus with at least one relevant document."""
    documents = draw(DOCUMENTS)
    queries = draw(st.dictionaries(IDS, SAID, min_size=1, max_size=4))
    grades = st.dictionaries(st.sampled_from(list(documents)), st.integers(-lines.MOST, lines.MOST), min_size=1)
    qrels = {query: draw(grades) for query in queries}
    qrels[next(iter(queries))][next(iter(documents))] = draw(st.integers(1, lines.MOST))
    return Corpus("made", documents, queries, qrels, corpora.asks_itself(documents, queries, qrels))


@st.composite
def asked_rows(draw):
    """Rows of a table, each with an id, a title, a text and a question: as many as queries are needed, or more."""
    ids = draw(st.lists(IDS, min_size=10, max_size=14, unique=True))
    return [{"id": key, "title": draw(TEXT), "text": draw(SAID), "query": draw(SAID)} for key in ids]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder of the module's own, and an empty data folder for whoever asks."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("properties")
        patch.setattr(paths, "DATA", folder / "data")
        patch.delenv("BEIR_DATA_DIR", raising=False)
        yield folder


def content(corpus):
    return corpus.documents, corpus.queries, corpus.qrels


@given(beir_corpora(), ENDS, st.booleans())
def test_a_corpus_written_in_beir_layout_is_read_back_equal(room, corpus, end, ascii_only):
    names.CORPORA._contents.clear()  # each example has the same name
    write_beir(room / "made", *content(corpus), end, ascii_only)
    found = corpora.load(str(room / "made"))
    assert found == corpus
    assert [*map(list, content(found))] == [*map(sorted, content(corpus))], "in the order of the ids"
    turned = dataclasses.replace(
        corpus, **{what: dict(reversed(getattr(corpus, what).items())) for what in ("documents", "queries", "qrels")}
    )
    write_beir(room / "made", *content(turned), end, ascii_only)
    assert corpora.load(str(room / "made")).sha256 == found.sha256, "whatever the order of the files"


@given(beir_corpora(), beir_corpora(), st.randoms(use_true_random=False))
def test_the_hash_of_a_corpus_is_of_its_content_and_order_alone(one, other, draw):
    assert dataclasses.replace(one, name="another").sha256 == one.sha256
    assert (one.sha256 == other.sha256) == (json.dumps(content(one)) == json.dumps(content(other)))
    shuffled = list(one.documents.items())
    draw.shuffle(shuffled)
    same = shuffled == list(one.documents.items())
    assert (dataclasses.replace(one, documents=dict(shuffled)).sha256 == one.sha256) == same


@settings(max_examples=40)
@given(asked_rows(), ENDS)
def test_a_corpus_of_ones_own_is_the_rows_whatever_the_kind_of_file(room, rows, end):
    for name in ("x.jsonl", "x.csv", "x.tsv", "x.parquet"):
        file = write_table(room / name, rows, end)
        assert [row for _, row in table_files.rows(room / name, list(rows[0]))] == rows, name
        corpus = own_data.load(Source(file, {"query": "query"}))
        assert corpus.documents == {row["id"]: Document(row["title"], row["text"]) for row in rows}, name
        assert set(corpus.queries.values()) == {row["query"] for row in rows}, name
        texts = {row["id"]: row["query"] for row in rows}
        found = {(corpus.queries[query], key) for query, grades in corpus.qrels.items() for key in grades}
        assert found == {(text, key) for key, text in texts.items()}, name
    shutil.rmtree(paths.DATA)


@settings(max_examples=40)
@given(st.lists(IDS, min_size=24, max_size=30, unique=True), st.randoms(use_true_random=False), st.booleans())
def test_the_same_documents_and_queries_are_drawn_whatever_the_order_of_the_rows(room, ids, draw, titled):
    rows = [
        {"id": key, "title": f"Title {key!r}" * titled, "text": f"It is number {n} here. It is about {key!r} as well."}
        for n, key in enumerate(ids)
    ]
    drawn = own_data.load(Source(write_table(room / "x.jsonl", rows), documents=20, queries=10))
    draw.shuffle(rows)
    again = own_data.load(Source(write_table(room / "y.jsonl", rows), documents=20, queries=10))
    assert (len(drawn.documents), len(drawn.queries)) == (20, 10)
    assert content(again) == content(drawn)
    shutil.rmtree(paths.DATA)


@settings(max_examples=40)
@given(DOCUMENTS, st.integers(1, 3 * SHARD), st.integers(0, 2**32))
def test_an_assembled_stream_is_the_same_each_time_and_of_the_words_of_the_corpus(documents, n, seed):
    corpus = Corpus("made", documents, {}, {})
    stream = Stream("", n, {}, partial(assembled, corpus, n, seed))
    shards = list(stream.shards())
    assert [len(shard) for shard in shards[:-1]] == [SHARD] * (len(shards) - 1)
    texts = [text for shard in shards for text in shard]
    assert len(texts) == n
    assert texts == [text for shard in stream.shards() for text in shard]
    assert all(text == " ".join(text.split(" ")) and text.strip() == text for text in texts if text.split())


@given(DOCUMENTS, st.integers(1, 6))
def test_a_real_stream_is_the_first_texts_of_its_file(room, documents, n):
    write_beir(room / "trec-covid", documents, {}, {})
    texts = document_streams.evenly([room / "trec-covid" / "corpus.jsonl"], [n], n)
    if n > len(documents):
        with pytest.raises(WorkbookError, match=r"corpus\.jsonl ends after"):
            list(texts)
    else:
        assert list(texts) == [document.full for document in documents.values()][:n]


ATOMS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.datetimes(),
    st.sampled_from(["sample", "tiny-static", "binary", "exact", "edge", "", "a/b", "~", "..", "\0", "server"]),
)  # fmt: skip
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | ATOMS, inner, max_size=3)
)


@st.composite
def changed(draw, value):
    """A value like one that is right: another of its kind, or one with a part changed."""
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(list(value)))
        return {**value, key: draw(changed(value[key]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], draw(changed(value[place])), *value[place + 1 :]]
    if isinstance(value, int | float) and draw(st.booleans()):
        return draw(st.integers(-3, 2**70) | st.floats())
    return draw(VALUES)


@pytest.fixture(scope="module")
def declared():
    """Parameters of each notebook as declared, made those of the smoke profile; no hub and no server is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_files, "check_hub", lambda hub, revision: None)
        patch.setattr(server, "identity", dict)
        smoke = plan.read(plan.PLAN)["profiles"]["smoke"]
        shared = smoke["parameters"]
        found = {}
        for name in NOTEBOOKS:
            own = plan.declared_parameters(name)
            found[name] = {**own, **{key: value for key, value in shared.items() if key in own}}
            found[name].update(smoke["notebooks"][name])
            parameters.check(found[name])
        yield found


@settings(max_examples=2 * MANY)
@given(st.data())
def test_any_value_of_a_parameter_is_usable_or_refused_in_one_line_that_names_it(declared, data):
    values = declared[data.draw(st.sampled_from(NOTEBOOKS))]
    name = data.draw(st.sampled_from(sorted(values)))
    value = data.draw(changed(values[name]))
    given_ = {**values, name: value}
    try:
        parameters.check(given_)
    except WorkbookError as error:
        assert str(error).isprintable()
        assert name in str(error) or not isinstance(value, type(values[name])) or _told(error, value), error
        return
    json.dumps(given_, allow_nan=False).encode()
    parameters.source(given_)
    if "documents" in given_:
        assert all(job.n > 0 for job in parameters.scale_jobs(given_))


def _told(error, value):
    """Whether a message tells a value, or a part of it, that fits with the others no longer."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return any(str(part) in str(error) for part in parts) or "missing" in str(error) or "settings need" in str(error)


WRITTEN = [lambda text: text, json.dumps, html.escape, quote, lambda text: json.dumps(text, ensure_ascii=False)]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=40), TEXT, TEXT)
def test_a_secret_never_survives_whatever_surrounds_it(secret, before, after):
    (secret, *_) = secret.splitlines() or [""]
    secret = secret.strip()
    assume(len(secret) >= redact.SHORTEST)
    assume(secret not in f"{before}***{after}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_API_KEY", secret)
        for written in WRITTEN:
            assert secret not in redact.clean(f"{before}{written(secret)}{after}")
            assert written(secret).strip('"') not in redact.clean(f"{before}{written(secret)}{after}")


PLACES = st.sampled_from([str(paths.ROOT), str(paths.DATA), "/home/someone/x", "C:\\Users\\me\\x", "https://me:word@host/",
                          "secret-of-mine", "~", "/", "%2F", "\\n", "&#x2F;", "home", "Users", "me:word@"])  # fmt: skip


@settings(max_examples=MANY)
@given(st.lists(PLACES | TEXT, max_size=8).map("".join))
def test_cleaning_twice_is_cleaning_once(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_API_KEY", "secret-of-mine")
        once = redact.clean(text)
        assert redact.clean(once) == once
        assert "secret-of-mine" not in once


@given(TEXT)
def test_a_message_is_one_line_whatever_it_quotes(text):
    assert str(WorkbookError(text)).isprintable()
    assert errors.one_line(errors.one_line(text)) == errors.one_line(text)


PIECES = st.sampled_from([
    "<", ">", "&", '"', "'", "</", "<b>", "<script>", "</script>", "<img src=x onerror=a()>", "<!--", "-->", "<table>",
    "<svg><style>", "<a href='javascript:a()'>", "<td>", "&lt;", "<p onclick=a()>", "<iframe>", "<a href='https://x'>",
    "<h2>", "<![CDATA[", "<?", "\0",
])  # fmt: skip


@settings(max_examples=MANY)
@given(st.lists(PIECES | TEXT, max_size=12).map("".join))
@example("<a href='java\nscript:a()'>")
def test_html_of_any_kind_leaves_only_plain_elements_and_attributes(text):
    shown = markup.plain(text).decode(formatter=markup.WRITTEN)
    for tag in BeautifulSoup(shown, "html.parser").find_all(True):
        assert markup.KEPT.match(tag.name)
        assert set(tag.attrs) <= markup.ATTRIBUTES.get(tag.name, set()) | {"class"}
        assert not tag.get("href", "").strip().lower().startswith(("javascript", "data", "vbscript"))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=30).filter(str.strip))
def test_a_text_in_a_table_is_shown_as_it_is(text):
    rows = pd.DataFrame({"metric": ["ndcg@10"], "value": [0.5], "key": [text]})
    frame = pd.DataFrame({text: [f"<script>{text}"]}, index=pd.Index([f"<b>{text}"], name=f"<i>{text}"))
    page = BeautifulSoup(tables.sourced(frame, rows).to_html(), "html.parser")
    assert page.find(["script", "b", "i"]) is None
    cells = [cell.get_text() for cell in page.find_all(["td", "th"])]
    assert {f"<script>{text}", f"<b>{text}", f"<i>{text}", text} <= set(cells)
