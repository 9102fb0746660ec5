"""Routes: queries and documents each by their own, in every number; and models of other kinds are refused."""

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import BoW, Dense, Normalize, Pooling, Router, StaticEmbedding
from sentence_transformers.sparse_encoder.modules import SpladePooling
from workbook.corpora import corpora
from workbook.embedding import encoders, exports, model_files, routes, stages, static_encoding, variants, vectors
from workbook.embedding.encoders import Encoder
from workbook.errors import WorkbookError
from workbook.experiments import grid
from workbook.explorer import contributions
from workbook.training import training

TEXTS = ["the river bank", "a bank lends money", "snow"]


@pytest.fixture
def tiny(in_shared):
    """Modules of tiny-static and of tiny-transformer."""
    return {kind: list(encoders.load(f"tiny-{kind}").model.children()) for kind in ("static", "transformer")}


@pytest.fixture
def other(tiny):
    """A table of the same tokens whose rows are those of other tokens."""
    rows = tiny["static"][0].embedding.weight.detach()
    moved = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return StaticEmbedding(tiny["static"][0].tokenizer, embedding_weights=rows[moved])


@pytest.fixture
def saved(tmp_path):
    """Save modules as a model and load it; gives the encoder, and Sentence Transformers' own model of the folder."""

    def save(*modules, name="mine", **options):
        model = SentenceTransformer(modules=list(modules), device="cpu", **options)
        model.save(str(tmp_path / name), create_model_card=False)
        encoder = encoders.load(str(tmp_path / name))
        return encoder, SentenceTransformer(str(tmp_path / name), device="cpu")

    return save


@pytest.fixture
def mixed(tiny):
    """A Router of queries to a table and of documents to a transformer."""
    return Router.for_query_document(tiny["static"], tiny["transformer"])


def assert_encodes_as(encoder, model, encode=Encoder.encode):
    """Both roles as Sentence Transformers encodes them, and not alike."""
    for role, right in (("document", model.encode_document), ("query", model.encode_query)) * 2:
        np.testing.assert_allclose(encode(encoder, TEXTS, role), right(TEXTS), atol=1e-6)
    assert encoder.asymmetric and not np.allclose(encoder.encode(TEXTS, "query"), encoder.encode(TEXTS))


def dense(seed, to=64):
    torch.manual_seed(seed)
    return Dense(64, to, activation_function=torch.nn.Identity())


def ndcg(similar, corpus):
    """Mean NDCG@10 by its definition, of one relevant document or more for each query, no scores equal."""
    found = []
    for row, query in zip(similar, corpus.queries, strict=True):
        gains = [corpus.qrels[query].get(corpus.document_ids[place], 0) for place in np.argsort(-row)[:10]]
        best = sorted(corpus.qrels[query].values(), reverse=True)[:10]
        got, most = (sum(gain / np.log2(rank + 2) for rank, gain in enumerate(each)) for each in (gains, best))
        found.append(got / most)
    return np.mean(found)


def test_the_score_is_that_of_encode_query_and_encode_document(saved, tiny, other):
    encoder, model = saved(Router.for_query_document([other], tiny["static"]))
    corpus = corpora.load("sample")
    documents = model.encode_document(corpus.document_texts)
    right, one_route = (
        ndcg(model.similarity(encoded, documents).numpy(), corpus)
        for encoded in (model.encode_query(corpus.query_texts), model.encode(corpus.query_texts))
    )
    measured = grid.measure(corpus, encoder, [64], ["float32"], ["exact"])[0].judgements["ndcg@10"].mean()
    assert measured == pytest.approx(right, abs=1e-6)
    assert one_route > right + 0.2, "the routes must matter"


def test_kept_vectors_of_one_text_are_told_apart_by_role(saved, tiny, other):
    encoder, model = saved(Router.for_query_document([other], tiny["static"]))
    assert_encodes_as(encoder, model, vectors.encode)
    assert encoder.identity("query") != encoder.identity("document")


def test_a_symmetric_model_has_one_key_for_both_roles_as_it_had_before(saved, tiny):
    for modules in (tiny["static"], tiny["transformer"], [Router({"text": tiny["static"]})]):
        encoder, _ = saved(*modules)
        assert encoder.identity("query") == encoder.identity("document")
        assert set(encoder.identity("query")) == {"model", "revision", "prompt", "max_tokens", "dtype", "libraries"}
        assert (encoder.asymmetric, encoder.remarks) == (False, "")


def test_a_static_query_and_a_transformers_document_are_each_read_by_their_own(saved, mixed):
    encoder, _ = saved(mixed, Normalize())
    static, transformer = (encoders.load(f"tiny-{kind}") for kind in ("static", "transformer"))
    long = "river bank " * 300
    assert (encoder.kind, encoder.dimensions, encoder.max_tokens) == ("transformer", 64, 256)
    assert encoder.remarks == ", queries by a route of their own"
    assert encoder.tokenize([long, *TEXTS]) == transformer.tokenize([long, *TEXTS])
    assert encoder.token_count([long]) == 256
    assert encoder.tokenize([long, *TEXTS], "query") == static.tokenize([long, *TEXTS])
    assert (encoder.identity("query")["max_tokens"], encoder.identity("document")["max_tokens"]) == (None, 256)
    for role, alone in (("query", static), ("document", transformer)):
        expected = alone.encode([long, *TEXTS])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(encoder.encode([long, *TEXTS], role), expected, atol=1e-6)
        for found, wanted in zip(
            stages.token_vectors(encoder, TEXTS[1], role), stages.token_vectors(alone, TEXTS[1]), strict=True
        ):
            np.testing.assert_array_equal(found, wanted)
    assert encoder.parameters() == static.parameters() + transformer.parameters()


def test_a_router_behind_the_pooling_decides_too(saved, tiny):
    after = Router.for_query_document([dense(1)], [dense(2)])
    for before in (tiny["static"], tiny["transformer"]):
        assert_encodes_as(*saved(*before, after, Normalize()))


def test_a_transformer_that_cuts_queries_elsewhere_is_asymmetric(saved, tiny):
    tiny["transformer"][0].query_length, tiny["transformer"][0].document_length = 6, 8
    encoder, _ = saved(*tiny["transformer"])
    assert encoder.asymmetric
    assert [encoder.token_count(["river " * 20], role) for role in routes.ROLES] == [6, 8]
    assert encoder.max_tokens == 8
    long, short = encoder.encode(["river " * 20], "query"), encoder.encode(["river " * 4], "query")
    np.testing.assert_allclose(long, short, atol=1e-6)


def test_a_cut_ends_both_routes_and_none_above_its_own_limit(saved, mixed, tmp_path):
    saved(mixed)
    made = variants.make(str(tmp_path / "mine"), max_tokens=5)
    assert [made.token_count(["river " * 20], role) for role in routes.ROLES] == [5, 5]
    np.testing.assert_allclose(made.encode(["river " * 20], "query"), made.encode(["river " * 5], "query"), atol=1e-6)
    np.testing.assert_allclose(made.encode(["river " * 20]), made.encode(["river " * 3]), atol=1e-6)


def test_an_asym_of_older_versions_is_a_router(saved, tiny, other, tmp_path):
    _, model = saved(Router.for_query_document([other], tiny["static"]))
    folder = tmp_path / "mine"
    (folder / "router_config.json").rename(folder / "config.json")
    file = folder / "modules.json"
    listed = json.loads(file.read_text())
    file.write_text(json.dumps([{**listed[0], "type": "sentence_transformers.models.Asym"}]))
    assert_encodes_as(encoders.load(str(folder)), model)


def test_a_router_without_a_route_for_a_role_is_refused(saved, tiny, other):
    encoder, _ = saved(Router({"query": [other], "doc": tiny["static"]}))
    with pytest.raises(WorkbookError, match="no route for a document, only query, doc: name its routes"):
        encoder.kind  # noqa: B018


def test_routes_named_otherwise_are_found_by_their_mapping(saved, tiny, other):
    mapping = {("query", None): "a", ("document", "text"): "b"}
    assert_encodes_as(*saved(Router({"a": [other], "b": tiny["static"]}, route_mappings=mapping)))


def test_routes_of_other_widths_are_refused(saved, tiny):
    encoder, _ = saved(Router.for_query_document([*tiny["static"], dense(0, 32)], tiny["transformer"]))
    with pytest.raises(WorkbookError, match="mine gives vectors of different sizes, 32 for a query, 64 for a document"):
        encoder.identity("query")


def test_what_takes_one_table_refuses_two_before_any_work(saved, tiny, other, tmp_path):
    encoder, _ = saved(Router.for_query_document([other], tiny["static"]))
    told = "reads queries by a route of their own"
    with pytest.raises(WorkbookError, match=f"mine {told}: model2vec would not do the same"):
        exports.forms(encoder)
    with pytest.raises(WorkbookError, match=f"mine {told}, which training would leave away"):
        training.check(encoder, encoders.load("tiny-transformer"))


def test_one_table_behind_two_routes_is_tokenized_word_by_word(saved, tiny):
    encoder, _ = saved(*tiny["static"], Router.for_query_document([dense(1)], [dense(2)]))
    found = static_encoding.WordEncoder(encoder.model).encode(TEXTS)
    np.testing.assert_allclose(found, encoder.model.encode_document(TEXTS), atol=1e-6)
    for role in routes.ROLES:
        together = encoder.encode(TEXTS, role)
        for text, expected in zip(TEXTS, together, strict=True):
            np.testing.assert_allclose(encoder.encode([text], role)[0], expected, atol=1e-6)


def test_a_score_of_two_tables_is_taken_apart_by_both(saved, tiny, other):
    encoder, model = saved(Router.for_query_document([other], tiny["static"]))
    found = contributions.explain(encoder, "river bank", "the bank lends money", 64)
    right = model.similarity(model.encode_query("river bank"), model.encode_document("the bank lends money"))
    assert found.pairs.sum() == pytest.approx(float(right), abs=1e-5)
    assert found.query_tokens == ["river", "bank"]


def test_a_stage_is_timed_where_it_happens(saved, mixed):
    encoder, _ = saved(mixed)
    with stages.timed(encoder.model) as seconds:
        encoder.encode(TEXTS)
    assert min(seconds.values()) > 0, "also the pooling, which is in the Router"
    with stages.timed(encoder.model) as seconds:
        encoder.encode(TEXTS, "query")
    assert seconds["pooling_seconds"] == 0


def test_a_model_of_two_kinds_runs_as_float32_alone_and_one_of_one_kind_in_any(saved, tiny, mixed, tmp_path):
    saved(mixed)
    with pytest.raises(WorkbookError, match="reads one role by a table and the other by a transformer"):
        variants.make(str(tmp_path / "mine"), "bfloat16")
    encoder, _ = saved(*tiny["transformer"], Router.for_query_document([dense(1)], [dense(2)]), name="one")
    for variant in ("bfloat16", "int8"):
        made = variants.make(str(tmp_path / "one"), variant)
        near, exact = (vectors.truncate(each.encode(TEXTS, "query"), 64) for each in (made, encoder))
        assert (near * exact).sum(axis=1).min() > 0.98


@pytest.mark.parametrize("name", ["passage", "corpus"])
def test_a_prompt_that_no_document_gets_is_refused(saved, tiny, name):
    encoder, model = saved(*tiny["static"], prompts={"query": "river ", name: "bank "})
    np.testing.assert_array_equal(model.encode_document(["snow"]), model.encode(["snow"]))
    with pytest.raises(WorkbookError, match=rf"mine names a prompt '{name}', which .* name it 'document'"):
        encoder.prompt("document")
    saved(*tiny["static"], prompts={"query": "river ", name: ""}, name="empty")[0].prompt("document")


def test_prompts_are_those_of_encode_query_and_encode_document(saved, tiny):
    prompts = {"query": "river ", "document": "bank ", "other": "snow "}
    encoder, model = saved(*tiny["static"], prompts=prompts, default_prompt_name="other")
    assert [encoder.identity(role)["prompt"] for role in routes.ROLES] == ["river ", "bank "]
    np.testing.assert_array_equal(encoder.encode(["money"], "query"), model.encode_query(["money"]))
    np.testing.assert_array_equal(encoder.encode(["money"]), model.encode_document(["money"]))
    np.testing.assert_array_equal(encoder.encode(["money"]), model.encode(["bank money"], prompt=""))
    only_query, _ = saved(*tiny["static"], prompts={"query": "river "}, default_prompt_name="query", name="one")
    np.testing.assert_array_equal(only_query.encode(["bank"]), model.encode(["bank"], prompt=""))


def test_a_default_prompt_is_not_put_before_tokens(saved, tiny):
    encoder, _ = saved(*tiny["transformer"], prompts={"other": "snow "}, default_prompt_name="other")
    tokens, rows = stages.token_vectors(encoder, "river bank")
    assert (tokens, rows.shape) == (["river", "bank"], (2, 64))
    np.testing.assert_array_equal(rows, stages.token_vectors(encoders.load("tiny-transformer"), "river bank")[1])


def test_a_model_that_is_not_ranked_by_cosine_is_refused(saved, tiny):
    for name, *after in (["dot"], ["euclidean"], ["manhattan"], ["manhattan", Normalize()]):
        encoder, _ = saved(*tiny["static"], *after, similarity_fn_name=name, name=f"{name}{len(after)}")
        with pytest.raises(WorkbookError, match=f"{name}. is made to be compared by {name}, and here vectors are"):
            encoder.identity("query")


def test_of_vectors_of_one_length_all_but_manhattan_rank_as_the_cosine(saved, tiny):
    for similarity in ("cosine", "dot", "euclidean"):
        encoder, model = saved(*tiny["transformer"], Normalize(), similarity_fn_name=similarity, name=similarity)
        rows = vectors.truncate(encoder.encode(TEXTS), 64)
        order = np.argsort(-model.similarity(model.encode(TEXTS), model.encode(TEXTS)).numpy(), axis=1)
        np.testing.assert_array_equal(np.argsort(-rows @ rows.T, axis=1), order)


@pytest.mark.parametrize("kind", ["SparseEncoder", "CrossEncoder", "MultiVectorEncoder"])
def test_a_model_of_another_family_is_refused_before_it_is_opened(saved, tiny, tmp_path, kind):
    saved(*tiny["transformer"])
    file = tmp_path / "mine" / model_files.SETTINGS
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": kind}))
    with pytest.raises(WorkbookError, match=f"mine is a {kind}: the workbook measures embedding models"):
        encoders.load(str(tmp_path / "mine"))


def test_what_gives_no_dense_vector_of_a_text_is_refused(tiny, monkeypatch):
    def refused(modules, told):
        with pytest.raises(WorkbookError, match=told):
            routes.check("mine", SentenceTransformer(modules=modules, device="cpu"))

    bert = tiny["transformer"][0]
    refused([BoW(["river", "bank"])], "mine begins with BoW: the workbook measures models that begin with Static")
    refused([bert], r"mine does not give one dense vector of a text \(it has no Pooling\)")
    refused([bert, SpladePooling()], r"mine does not give one dense vector of a text \(SpladePooling\)")
    monkeypatch.setattr(type(bert), "modalities", ["text", "image"])
    refused(tiny["transformer"], "mine reads image too: the workbook measures models of text alone")


def test_more_than_a_table_is_told(tiny):
    def told(*modules):
        return routes.more_than_a_table(SentenceTransformer(modules=list(modules), device="cpu"))

    assert told(*tiny["static"]) == told(*tiny["static"], Normalize()) == ""
    assert told(*tiny["static"], Normalize(), dense(0, 32)) == "has Dense after its table"
    assert told(*tiny["transformer"]) == told(tiny["transformer"][0], Pooling(64), Normalize()) == "is a transformer"
