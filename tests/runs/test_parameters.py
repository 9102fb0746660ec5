"""Parameters are checked by name, before anything is loaded, with one line that names the parameter."""

import datetime

import pytest
from workbook.errors import WorkbookError
from workbook.qdrant.client import Placement
from workbook.runs import parameters

GOOD = {
    "corpus": "sample",
    "static_model": "tiny-static",
    "transformer_model": "tiny-transformer",
    "dimensions": [64, 16],
    "settings": ["float32", "binary"],
    "searches": ["exact", "full-ef", "default-ef", "rescore-x2"],
    "engine_name": "edge",
    "limit": 100,
    "repeats": 3,
    "threads": 0,
    "words": [8, 32],
}

BAD = [
    ("corpus", "no-such-corpus", "unknown corpus"),
    ("corpus", 7, "wrong type"),
    ("static_model", "no-such-model", "unknown model"),
    ("dimensions", [128], "64 dimensions"),
    ("dimensions", [0], "above 0"),
    ("dimensions", ["64"], "above 0"),
    ("settings", [], "not a list"),
    ("settings", ["float32", "binary-3bit"], "unknown quantization"),
    ("settings", ["binary"], "must have float32"),
    ("settings", ["float32"], "nothing to compare"),
    ("settings", ["float32", "binary", "binary"], "names something twice"),
    ("searches", ["full-ef"], r"missing: default-ef, exact"),
    ("searches", ["exact", "full-ef", "default-ef"], "nothing to compare"),
    ("transformer_model", "tiny-static", "give two models"),
    ("limit", 5, "too few for NDCG@10"),
    ("searches", ["rescore-x0"], "unknown search"),
    ("engine_name", "pinecone", "unknown engine"),
    ("engine_name", "memory", "drops quantization"),
    ("limit", 0, "above 0"),
    ("repeats", -1, "above 0"),
    ("repeats", 2.5, "above 0"),
    ("threads", -2, "above 0"),
    ("words", [], "not a list"),
    ("spelled_wrong", 1, "unknown parameter"),
]


def test_good_parameters_pass():
    parameters.check(GOOD)


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_bad_parameter_is_named_with_what_to_do(name, value, message):
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**GOOD, name: value})
    assert "\n" not in str(raised.value)


def test_a_product_ratio_must_divide_the_dimensions():
    with pytest.raises(WorkbookError, match="does not divide 20"):
        parameters.check({**GOOD, "dimensions": [20], "settings": ["float32", "product-x64"]})


def test_a_notebooks_own_variables_are_checked_and_others_left_alone():
    parameters.check_cell({**GOOD, "pd": object(), "data": None})
    with pytest.raises(WorkbookError, match="parameter limit"):
        parameters.check_cell({**GOOD, "limit": 0})


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("repeats", "3", ": write 3"),
        ("repeats", 3.0, ": write 3"),
        ("dimensions", ["64", 16], r": write \[64, 16\]"),
        ("margin", "1e-2", ": write 0.01"),
        ("margin", "5", "0 and 1"),
        ("limit", "many", "above 0"),
        ("candidates", [{"learning_rate": "1e-2"}], r': write \[{"learning_rate": 0.01}\]'),
        ("server", {"shard_number": "3"}, r': write {"shard_number": 3}'),
        ("corpus", 7, "wrong type: quote it"),
        ("corpus", datetime.date(2020, 1, 1), "wrong type: quote it"),
        ("static_model", 1.5, ": quote it"),
        ("language", False, ": quote it"),
        ("columns", {"text": 3}, ": quote it"),
    ],
)
def test_what_yaml_took_for_something_else_is_told_with_what_to_write(name, value, advice):
    with pytest.raises(WorkbookError, match=f"^parameter {name}: .*{advice}$"):
        parameters.check({name: value})


def test_strict_reaches_what_is_loaded(beir_folder):
    with (beir_folder / "corpus.jsonl").open("a") as stream:
        stream.write('{"_id": "d4", "text": ""}\n')
    given = {"corpus": str(beir_folder)}
    assert parameters.load_corpus(given).defects == ("corpus.jsonl: 1 row was left out: empty (line 4)",)
    for later in ({}, {"labelled_split": "test"}, {"other_corpus": str(beir_folder)}):
        parameters.check_read_later({**given, **later})
    for strictly in (
        lambda: parameters.load_corpus({**given, "strict": True}),
        lambda: parameters.check_read_later({**given, "labelled_split": "test", "strict": True}),
        lambda: parameters.check_read_later({"corpus": "sample", "other_corpus": str(beir_folder), "strict": True}),
    ):
        with pytest.raises(WorkbookError, match=r"corpus\.jsonl:4: document 'd4' is empty"):
            strictly()


TRAINING = {
    "corpus": "sample",
    "static_model": "tiny-static",
    "transformer_model": "tiny-transformer",
    "engine_name": "edge",
    "candidates": [{}, {"dimensions": [32, 16], "batch_size": 64}],
    "seeds": [0, 1],
    "ablations": {"with a teacher": {"teacher": 0.3}},
    "sizes": [45],
    "labelled_split": "train",
    "other_corpus": "python-docs",
}

BAD_TRAINING = [
    ("candidates", [], "not a list"),
    ("candidates", {"epochs": 5}, "not a list"),
    ("candidates", [{}, {}], "names something twice"),
    ("candidates", [5], "wrong type"),
    ("candidates", [{"epoch": 5}], "no setting epoch; it has .*epochs"),
    ("candidates", [{"epochs": 0}], "epochs must be a whole number from 1 to 1,000"),
    ("candidates", [{"epochs": "five"}], "epochs must be a whole number from 1 to 1,000, not 'five'"),
    ("candidates", [{"batch_size": 2.5}], "batch_size must be a whole number"),
    ("candidates", [{"kinds": ["titles"]}], "kinds must be a list of some of title"),
    ("candidates", [{"dimensions": 32}], "dimensions must be a list"),
    ("candidates", [{"dimensions": [16, 32]}], "the widest first"),
    ("candidates", [{"dimensions": [16, 16]}], "the widest first"),
    ("candidates", [{"dimensions": [0]}], "above 0"),
    ("candidates", [{"words": "no"}], "words must be true or false"),
    ("candidates", [{"width": -5}], "width must be a number of dimensions"),
    ("candidates", [{"learning_rate": 0}], "learning_rate must be a number above 0"),
    ("ablations", {"trained": {"teacher": 0.3}}, "'trained' is taken"),
    ("ablations", [{"teacher": 0.3}], "does not give a label"),
    ("ablations", {"too much": {"teacher": 1.5}}, "a share from 0 to 1"),
    ("ablations", {"no settings": None}, "wrong type"),
    ("seeds", [], "not a list"),
    ("seeds", [0, 0], "names something twice"),
    ("seeds", [-1], "above 0"),
    ("seeds", [0.5], "above 0"),
    ("seeds", 0, "not a list"),
    ("sizes", [0], "above 0"),
    ("sizes", [45, 45], "names something twice"),
    ("sizes", 45, "not a list"),
    ("other_corpus", "no-such-corpus", "unknown corpus"),
    ("other_corpus", "sample", "other_corpus is the corpus itself, sample"),
    ("labelled_split", " ", "not a text"),
    ("labelled_split", ["train"], "not a text"),
    ("engine_name", "memory", "drops quantization"),
]


@pytest.mark.parametrize(
    "changes", [{}, {"ablations": {}, "sizes": [], "labelled_split": "", "other_corpus": ""}, {"seeds": [7]}]
)
def test_good_parameters_of_training_pass(changes):
    parameters.check({**TRAINING, **changes})


@pytest.mark.parametrize(("name", "value", "message"), BAD_TRAINING)
def test_a_bad_parameter_of_training_is_named_with_what_to_do(name, value, message):
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**TRAINING, name: value})
    assert "\n" not in str(raised.value)


def test_the_memory_engine_will_do_where_nothing_is_trained():
    parameters.check({name: TRAINING[name] for name in ("corpus", "static_model")} | {"engine_name": "memory"})


SCALE = {
    "corpus": "sample",
    "static_model": "tiny-static",
    "transformer_model": "tiny-transformer",
    "large_model": "tiny-transformer",
    "long_model": "tiny-transformer",
    "words": [8, 32],
    "cut": 256,
    "batch_sizes": [1, 8],
    "round_seconds": 0.1,
    "plain_texts": 100,
    "cold_starts": 2,
    "repeats": 3,
    "threads": 0,
    "documents": [100, 200, 400],
    "scale_model": "tiny-static",
    "scale_dimension": 64,
    "words_once": True,
    "waiting": 2,
    "seed": 0,
    "scale_repeats": 1,
    "fit_from": 0,
    "vocabularies": [],
    "index_settings": ["float32", "binary"],
    "node_ram_gb": 64,
    "engine_name": "edge",
    "server": {},
}

BAD_SCALE = [
    ("cut", 0, "above 0"),
    ("cut", 257, "tiny-transformer reads 256 at most"),
    ("batch_sizes", [0], "above 0"),
    ("batch_sizes", [], "not a list"),
    ("round_seconds", 0, "not a number above 0"),
    ("round_seconds", "1", "not a number above 0"),
    ("plain_texts", 0, "above 0"),
    ("cold_starts", 0, "above 0"),
    ("documents", [100, 200], "too few sizes"),
    ("documents", [100, 200, 0], "above 0"),
    ("documents", [100, 100, 200], "names something twice"),
    ("documents", 171_332, "not a list"),
    ("scale_model", "no-such-model", "unknown model"),
    ("scale_dimension", 65, "64 dimensions"),
    ("scale_dimension", 0, "above 0"),
    ("words_once", 1, "neither true nor false"),
    ("waiting", 0, "above 0"),
    ("seed", -1, "above 0"),
    ("scale_repeats", 0, "above 0"),
    ("fit_from", -1, "above 0"),
    ("vocabularies", [0], "above 0"),
    ("index_settings", ["binary-3bit"], "unknown quantization"),
    ("node_ram_gb", -64, "not a number above 0"),
    ("node_ram_gb", True, "not a number above 0"),
    ("long_model", "no-such-model", "unknown model"),
    ("engine_name", "memory", "drops quantization"),
    ("engine_name", "server", "needs QDRANT_URL"),
    ("server", {"shards": 3}, "unknown placement 'shards'"),
    ("server", {"shard_number": 3}, "parameter server is for engine_name server, not edge"),
]


@pytest.mark.parametrize("changes", [{}, {"round_seconds": 1, "node_ram_gb": 0.5, "vocabularies": [100]}])
def test_good_parameters_of_scale_pass_and_give_their_jobs(changes):
    parameters.check({**SCALE, **changes})
    jobs = parameters.scale_jobs(SCALE)
    assert [(job.n, job.words_once) for job in jobs] == [(n, once) for n in (100, 200, 400) for once in (True, False)]
    assert {(job.corpus, job.model, job.dimension) for job in jobs} == {("sample", "tiny-static", 64)}
    assert {(job.engine_name, job.placement) for job in jobs} == {("edge", Placement())}


def test_a_cluster_is_asked_for_as_in_the_notebook_on_ones_own_data(server):
    placed = {"shard_number": 3, "replication_factor": 2, "on_disk": True, "always_ram": True}
    asked = {**SCALE, "engine_name": "server", "server": placed}
    parameters.check(asked)
    assert {(job.engine_name, job.placement) for job in parameters.scale_jobs(asked)} == {
        ("server", Placement(3, 2, True, True))
    }


@pytest.mark.parametrize(("name", "value", "message"), BAD_SCALE)
def test_a_bad_parameter_of_scale_is_named_with_what_to_do(monkeypatch, name, value, message):
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**SCALE, name: value})
    assert "\n" not in str(raised.value)


@pytest.fixture
def own(tmp_path):
    """Parameters of a notebook on a user's file, a CSV with names of its own."""
    file = tmp_path / "shop.csv"
    file.write_text("nr,headline,body\n" + "".join(f"{n},Title {n},Text of number {n}.\n" for n in range(30)))
    columns = {"id": "nr", "title": "headline", "text": "body"}
    return {
        **{name: GOOD[name] for name in ("settings", "searches", "engine_name", "static_model", "transformer_model")},
        "corpus": str(file), "columns": columns, "judged": "", "judged_columns": {}, "most_documents": 0,
        "most_queries": 10, "seed": 0, "language": "english", "collection": "", "vector_name": "", "probes": 10,
        "server": {}, "margin": 0.02,
    }  # fmt: skip


BAD_OWN = [
    ("corpus", "no-such-file.csv", "no corpus 'no-such-file.csv'"),
    ("corpus", "", "not a text"),
    ("columns", {"text": "txt"}, "no column 'txt' in .*: it has nr, headline, body"),
    ("columns", {"body": "text"}, "body"),
    ("columns", [], "does not say which column is what"),
    ("columns", {"text": 3}, "not a text"),
    ("judged", "no-such-file.csv", "no-such-file.csv"),
    ("judged_columns", {"query": "q"}, "but not judged, the file they are of"),
    ("most_documents", -1, "above 0"),
    ("most_queries", 3, "10 or more"),
    ("language", "klingon", "parameter language: .*klingon"),
    ("collection", "no/such/shard", "no/such/shard"),
    ("collection", "0", "^parameter collection: the server engine needs QDRANT_URL"),
    ("probes", 0, "above 0"),
    ("server", {"shards": 3}, "unknown placement 'shards'"),
    ("server", "nonsense", "parameter server: 'nonsense' is not"),
    ("vector_name", "text", "vector_name is of a collection, and collection is not given"),
    ("engine_name", "server", "needs QDRANT_URL"),
    ("probes", True, "above 0"),
    ("seed", -1, "0 or above 0"),
    ("server", {"shard_number": 3}, "parameter server is for engine_name server, not edge"),
    ("engine_name", "memory", "drops quantization"),
    ("margin", 0, "not a number between 0 and 1"),
]


def test_good_parameters_of_ones_own_data_pass_and_load(own, data):
    parameters.check(own)
    parameters.check({**own, "transformer_model": "", "corpus": "sample", "columns": {}})
    corpus = parameters.load_corpus(own)
    assert (len(corpus.documents), len(corpus.queries)) == (30, 10)
    assert parameters.load_corpus({"corpus": "sample"}).name == "sample"
    assert parameters.source({**own, "strict": True}).strict and not parameters.source(own).strict


@pytest.mark.parametrize(("name", "value", "message"), BAD_OWN)
def test_a_bad_parameter_of_ones_own_data_is_named_with_what_to_do(own, monkeypatch, name, value, message):
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**own, name: value})
    assert "\n" not in str(raised.value)


def test_what_was_measured_on_a_server_is_read_without_it(own, monkeypatch):
    monkeypatch.delenv("QDRANT_URL", raising=False)
    parameters.check({**own, "engine_name": "server", "collection": "articles"}, ask=False)
    with pytest.raises(WorkbookError, match="parameter engine_name"):
        parameters.check({**own, "engine_name": "none"}, ask=False)


def test_only_ones_own_data_can_do_without_a_model_to_compare_with():
    with pytest.raises(WorkbookError, match="transformer_model: a model is needed"):
        parameters.check({**GOOD, "transformer_model": ""})


def test_a_file_is_for_the_notebook_that_knows_columns(own):
    with pytest.raises(WorkbookError, match="unknown corpus"):
        parameters.check({**GOOD, "corpus": own["corpus"]})


EXPLORER = {
    **{name: GOOD[name] for name in ("corpus", "static_model", "transformer_model", "dimensions", "settings")},
    "custom_model": "", "top": 5, "hnsw_ef": 0, "fusion": "dbsf", "language": "english", "query": "bats",
}  # fmt: skip

BAD_EXPLORER = [
    ("custom_model", "no-such-model", "unknown model"),
    ("custom_model", "tiny-static", "give one of its own"),
    ("static_model", "tiny-transformer", "give two models"),
    ("dimensions", [128], "tiny-static has 64 dimensions"),
    ("settings", ["product-x64"], "does not divide"),
    ("settings", [], "not a list"),
    ("top", 0, "above 0"),
    ("hnsw_ef", -1, "0 or above 0"),
    ("fusion", "sum", "unknown fusion 'sum'"),
    ("query", "", "not a text"),
]


def test_the_explorer_takes_any_settings_and_needs_no_transformer():
    parameters.check(EXPLORER)
    parameters.check({**EXPLORER, "transformer_model": "", "dimensions": [], "settings": ["binary"]})


@pytest.mark.parametrize(("name", "value", "message"), BAD_EXPLORER)
def test_a_bad_parameter_of_the_explorer_is_named_with_what_to_do(name, value, message):
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**EXPLORER, "dimensions": [20], name: value})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corpus": "sample", "labelled_split": "train"}, r"train\.tsv is missing"),
        ({"corpus": "sample", "other_corpus": "tiny"}, r"corpus\.jsonl:4: not valid JSON"),
        (
            {"corpus": "sample", "sizes": [10, 10**6]},
            "parameter sizes: sample has .* documents to train on, not 1000000",
        ),
        ({"static_model": "tiny-static", "vocabularies": [10**6]}, "tiny-static has .* give a vocabulary of 1 to"),
    ],
)
def test_what_a_notebook_would_find_after_hours_is_found_before(data, beir_folder, monkeypatch, values, message):
    with (beir_folder / "corpus.jsonl").open("a") as stream:
        stream.write("cut short")
    monkeypatch.chdir(beir_folder.parent)
    with pytest.raises(WorkbookError, match=message):
        parameters.check_read_later(values)


def test_what_is_read_later_passes_if_it_is_there(data):
    parameters.check_read_later({"corpus": "sample", "labelled_split": "test", "other_corpus": "", "sizes": [10]})


@pytest.mark.parametrize("places", [{}, [], "phone"])
def test_each_place_needs_a_name(places):
    with pytest.raises(WorkbookError, match=r"parameter places: .* does not give a name to each place"):
        parameters.check({**GOOD, "places": places})
