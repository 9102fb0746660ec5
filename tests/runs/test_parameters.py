"""Parameters are checked by name, before anything is loaded, with one line that names the parameter."""

import datetime

import pytest
from workbook.errors import WorkbookError
from workbook.qdrant.client import Placement
from workbook.runs import parameters

MODELS = {"corpus": "sample", "static_model": "tiny-static", "transformer_model": "tiny-transformer"}
GRID = {"settings": ["float32", "binary"], "searches": ["exact", "full-ef", "default-ef", "rescore-x2"]}
QUALITY = {
    **MODELS, **GRID, "dimensions": [64, 16], "engine_name": "edge", "limit": 100, "repeats": 3, "threads": 0,
    "words": [8, 32],
}  # fmt: skip
TRAINING = {
    **MODELS, "engine_name": "edge", "candidates": [{}, {"dimensions": [32, 16], "batch_size": 64}], "seeds": [0, 1],
    "ablations": {"with a teacher": {"teacher": 0.3}}, "sizes": [45], "labelled_split": "train",
    "other_corpus": "python-docs",
}  # fmt: skip
SCALE = {
    **MODELS, "large_model": "tiny-transformer", "long_model": "tiny-transformer", "words": [8, 32], "cut": 256,
    "batch_sizes": [1, 8], "round_seconds": 0.1, "plain_texts": 100, "cold_starts": 2, "repeats": 3, "threads": 0,
    "documents": [100, 200, 400], "scale_model": "tiny-static", "scale_dimension": 64, "words_once": True,
    "processes": 1, "waiting": 2, "seed": 0, "scale_repeats": 1, "fit_from": 0, "vocabularies": [], "node_ram_gb": 64,
    "index_settings": ["float32", "binary"], "engine_name": "edge", "server": {},
}  # fmt: skip
ON_DEMAND = {
    **MODELS, "engine_name": "edge", "corpus": "sample", "candidates": [{}], "fusion": "dbsf", "share": 0.3,
    "max_loss": 0.01, "threshold": 0.0, "seed": 0, "repeats": 2, "strict": False,
}  # fmt: skip
EXPLORER = {
    **MODELS, "dimensions": [20], "settings": ["float32", "binary"], "custom_model": "", "top": 5, "hnsw_ef": 0,
    "fusion": "dbsf", "language": "english", "query": "bats",
}  # fmt: skip
PLACED = {"shard_number": 3, "replication_factor": 2, "on_disk": True, "always_ram": True}
WHOLE = [0, -1, 2.5, True, "many", None]
KINDS = [
    ("is not a whole number above 0", WHOLE, "repeats cut plain_texts cold_starts scale_dimension waiting scale_repeats"
     " processes most_queries probes top limit"),
    ("is not a whole number, 0 or above 0", WHOLE[1:], "threads seed fit_from most_documents hnsw_ef"),
    ("is not a whole number above 0", [[0], ["x"]], "dimensions words batch_sizes vocabularies sizes documents"),
    ("is not a list with something in it", [{}, 45, "x"], "dimensions words batch_sizes vocabularies sizes documents"
     " seeds candidates settings searches index_settings"),
    ("is not a list with something in it", [[]], "words batch_sizes documents seeds candidates settings searches"),
    ("names something twice", [[8, 8]], "dimensions words batch_sizes vocabularies sizes documents seeds candidates"),
    ("is not a number above 0", [0, -64, True, "x"], "round_seconds node_ram_gb"),
    ("is not a number between 0 and 1", [0, 1, 1.5, True], "margin share max_loss"),
    ("is not a number between 0 and 1", [1, -0.5, 1.5, "x"], "threshold"),
    ("is neither true nor false", [1, "x", None], "words_once strict"),
    ("is not a text", ["", " ", ["x"]], "query language"),
    ("is not a text", [" ", ["x"]], "judged collection vector_name text_field run labelled_split"),
    ("without a folder", ["../x", "a/b/c", "x" * 201], "run labelled_split"),
    ("without a folder", ["a/b"], "labelled_split"),
    ("without a folder", ["..", "x/..", "./x"], "run"),
    ("unknown model", ["no-such-model"], "static_model transformer_model large_model long_model scale_model"
     " custom_model"),
    ("unknown corpus", ["no-such-corpus"], "corpus other_corpus"),
    ("unknown quantization", [["float32", "binary-3bit"]], "settings index_settings"),
    ("does not say which column is what", [[], "x"], "columns judged_columns"),
    ("is too large: give 1,000 at most", [1_001], "repeats cold_starts waiting scale_repeats processes"),
    ("is too large: give 100,000 at most", [[8, 100_001]], "words batch_sizes"),
    ("does not give a name to each place", [{}, [], "phone"], "places"),
]  # fmt: skip
BAD = {
    "quality": [
        ("corpus", 7, "wrong type"),
        ("dimensions", [128], "64 dimensions"),
        ("settings", ["binary"], "must have float32"),
        ("settings", ["float32"], "nothing to compare"),
        ("searches", ["full-ef"], r"missing: default-ef, exact"),
        ("searches", ["exact", "full-ef", "default-ef"], "nothing to compare"),
        ("searches", ["rescore-x0"], "unknown search"),
        ("transformer_model", "tiny-static", "give two models"),
        ("transformer_model", "", "transformer_model: a model is needed"),
        ("large_model", "tiny-transformer", "large_model is another model too, tiny-transformer"),
        ("large_model", "tiny-static", "large_model is another model too, tiny-static"),
        ("large_model", "mpnet-shape-random", "large_model mpnet-shape-random has random weights"),
        ("limit", 5, "too few for NDCG@10"),
        ("engine_name", "pinecone", "unknown engine"),
        ("engine_name", "memory", "drops quantization"),
        ("threads", 1_025, "too large: give 1,024 at most"),
        ("spelled_wrong", 1, "unknown parameter"),
    ],
    "training": [
        ("candidates", [5], "wrong type"),
        ("candidates", [{"epoch": 5}], "no setting epoch; it has .*epochs"),
        ("candidates", [{"epochs": "five"}], "epochs must be a whole number from 1 to 1,000, not 'five'"),
        ("candidates", [{"queries_only": True}], "has queries_only, which the notebook trains beside these"),
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
        ("ablations", {"tiny-transformer": {"teacher": 0.3}}, "'tiny-transformer' is taken"),
        ("ablations", [{"teacher": 0.3}], "does not give a label"),
        ("ablations", {"too much": {"teacher": 1.5}}, "a share from 0 to 1"),
        ("ablations", {"no settings": None}, "wrong type"),
        ("seeds", [0.5], "0 or above 0"),
        ("other_corpus", "sample", "other_corpus is the corpus itself, sample"),
        ("engine_name", "memory", "drops quantization"),
    ],
    "scale": [
        ("large_model", "", "parameter large_model: a model is needed"),
        ("cut", 257, "tiny-transformer reads 256 at most"),
        ("documents", [100, 200], "too few sizes"),
        ("scale_dimension", 65, "64 dimensions"),
        ("engine_name", "memory", "drops quantization"),
        ("engine_name", "server", "needs QDRANT_URL"),
        ("server", {"shards": 3}, "unknown placement 'shards'"),
        ("server", {"shard_number": 3}, "parameter server is for engine_name server, not edge"),
    ],
    "own": [
        ("corpus", "no-such-file.csv", "no corpus 'no-such-file.csv'"),
        ("corpus", "", "not a text"),
        ("columns", {"text": "txt"}, "no column 'txt' in .*: it has nr, headline, body"),
        ("columns", {"body": "text"}, "body"),
        ("columns", {"text": 3}, "not a text"),
        ("judged", "no-such-file.csv", "no-such-file.csv"),
        ("judged_columns", {"query": "q"}, "but not judged, the file they are of"),
        ("most_queries", 3, "10 or more"),
        ("language", "klingon", "parameter language: .*klingon"),
        ("collection", "no/such/shard", "no/such/shard"),
        ("collection", "0", "^parameter collection: the server engine needs QDRANT_URL"),
        ("vector_name", "text", "vector_name is of a collection, and collection is not given"),
        ("engine_name", "server", "needs QDRANT_URL"),
        ("engine_name", "memory", "drops quantization"),
        ("server", "nonsense", "parameter server: 'nonsense' is not"),
        ("server", {"shard_number": 3}, "parameter server is for engine_name server, not edge"),
    ],
    "on demand": [
        ("candidates", [{"epochs": 0}], "epochs must be"),
        ("transformer_model", "tiny-static", "give two models"),
        ("fusion", "sum", "unknown fusion 'sum'"),
        ("share", 30, "is not a number between 0 and 1"),
        ("engine_name", "server", "needs QDRANT_URL"),
    ],
    "explorer": [
        ("custom_model", "tiny-static", "give one of its own"),
        ("static_model", "tiny-transformer", "give two models"),
        ("dimensions", [128], "tiny-static has 64 dimensions"),
        ("settings", ["product-x64"], "does not divide 20"),
        ("fusion", "sum", "unknown fusion 'sum'"),
    ],
}


@pytest.fixture
def good(tmp_path, monkeypatch):
    """Parameters that pass, by kind of notebook; those of `own` are on a CSV with names of its own."""
    monkeypatch.delenv("QDRANT_URL", raising=False)
    file = tmp_path / "shop.csv"
    file.write_text("nr,headline,body\n" + "".join(f"{n},Title {n},Text of number {n}.\n" for n in range(30)))
    own = {
        **MODELS, **GRID, "engine_name": "edge", "corpus": str(file), "judged": "", "judged_columns": {},
        "columns": {"id": "nr", "title": "headline", "text": "body"}, "most_documents": 0, "most_queries": 10,
        "seed": 0, "language": "english", "collection": "", "vector_name": "",
        "text_field": "text", "probes": 10, "server": {},
        "margin": 0.02,
    }  # fmt: skip
    return {
        "quality": QUALITY,
        "training": TRAINING,
        "scale": SCALE,
        "own": own,
        "explorer": EXPLORER,
        "on demand": ON_DEMAND,
    }


@pytest.mark.parametrize(
    ("notebook", "changes"),
    [
        ("quality", {}),
        ("quality", {"large_model": ""}),
        ("quality", {"large_model": "all-mpnet-base-v2"}),
        ("training", {}),
        ("training", {"ablations": {}, "sizes": [], "labelled_split": "", "other_corpus": ""}),
        ("training", {"seeds": [7]}),
        ("scale", {}),
        ("scale", {"round_seconds": 1, "node_ram_gb": 0.5, "vocabularies": [100]}),
        ("own", {}),
        ("own", {"transformer_model": "", "corpus": "sample", "columns": {}}),
        ("on demand", {}),
        ("on demand", {"engine_name": "memory", "threshold": 0.6, "fusion": "rrf"}),
        ("explorer", {}),
        ("explorer", {"transformer_model": "", "dimensions": [], "settings": ["binary"]}),
    ],
)
def test_good_parameters_pass(good, notebook, changes):
    parameters.check({**good[notebook], **changes})


@pytest.mark.parametrize(("said", "values", "names"), KINDS)
def test_a_value_of_another_kind_is_refused_with_the_name_of_the_parameter(said, values, names):
    for name in names.split():
        for value in values:
            with pytest.raises(WorkbookError, match=rf"^parameter {name}: .*{said}"):
                parameters.check({name: value})


@pytest.mark.parametrize(
    ("notebook", "name", "value", "message"), [(notebook, *row) for notebook, rows in BAD.items() for row in rows]
)
def test_a_bad_parameter_is_named_with_what_to_do(good, notebook, name, value, message):
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**good[notebook], name: value})
    assert "\n" not in str(raised.value)


def test_a_notebooks_own_variables_are_checked_and_others_left_alone():
    parameters.check_cell({**QUALITY, "pd": object(), "data": None})
    with pytest.raises(WorkbookError, match="parameter limit"):
        parameters.check_cell({**QUALITY, "limit": 0})
    assert parameters.given({**QUALITY, "pd": object()}) == QUALITY


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


def test_a_notebook_searches_with_its_models_unless_it_only_times_them():
    assert parameters.searched_with(QUALITY) == ["tiny-static", "tiny-transformer"]
    assert parameters.searched_with({**QUALITY, "large_model": "a", "transformer_model": ""}) == ["tiny-static", "a"]
    assert parameters.searched_with(SCALE) == parameters.searched_with(MODELS) == []


def test_the_memory_engine_will_do_where_nothing_is_trained():
    parameters.check({"corpus": "sample", "static_model": "tiny-static", "engine_name": "memory"})


def test_each_number_of_documents_gives_its_jobs():
    sizes = [(100, True), (200, True), (400, True), (400, False)]
    jobs = parameters.scale_jobs(SCALE)
    assert [(job.n, job.words_once) for job in jobs] == sizes
    assert {(job.corpus, job.model, job.dimension) for job in jobs} == {("sample", "tiny-static", 64)}
    assert {(job.engine_name, job.placement) for job in jobs} == {("edge", Placement())}


def test_a_cluster_is_asked_for_as_in_the_notebook_on_ones_own_data(server):
    asked = {**SCALE, "engine_name": "server", "server": PLACED}
    parameters.check(asked)
    jobs = parameters.scale_jobs(asked)
    assert {(job.engine_name, job.placement) for job in jobs} == {("server", Placement(3, 2, True, True))}


def test_ones_own_data_load(good, data):
    corpus = parameters.load_corpus(good["own"])
    assert (len(corpus.documents), len(corpus.queries)) == (30, 10)
    assert parameters.load_corpus({"corpus": "sample"}).name == "sample"
    assert parameters.source({**good["own"], "strict": True}).strict and not parameters.source(good["own"]).strict


def test_what_was_measured_on_a_server_is_read_without_it(good):
    parameters.check({**good["own"], "engine_name": "server", "collection": "articles"}, ask=False)
    with pytest.raises(WorkbookError, match="parameter engine_name"):
        parameters.check({**good["own"], "engine_name": "none"}, ask=False)


def test_a_file_is_for_the_notebook_that_knows_columns(good):
    with pytest.raises(WorkbookError, match="unknown corpus"):
        parameters.check({**QUALITY, "corpus": good["own"]["corpus"]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"corpus": "sample", "labelled_split": "train"}, r"train\.tsv is missing"),
        ({"corpus": "sample", "other_corpus": "tiny"}, r"corpus\.jsonl:4: not valid JSON"),
        ({"corpus": "sample", "sizes": [10, 10**6]}, "sizes: sample has .* documents to train on, not 1000000"),
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
