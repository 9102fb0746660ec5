"""Code to paste that creates a measured setting in Qdrant, by qdrant-client or Edge, and stores and searches with it.

Calls are printed from the engines' own objects, those that were measured with, so no setting is typed here. Everything
was measured in RAM; the code of a quantized setting keeps only the codes there and says so. It does this by `on_disk`
and `always_ram`, which every server knows, not by their successor `memory`.
"""

import inspect
import json
from typing import NamedTuple

from workbook.errors import WorkbookError
from workbook.qdrant import engine, quantization
from workbook.qdrant.edge import RRF_K
from workbook.qdrant.engine import Search
from workbook.qdrant.quantization import SETTINGS

LINE = 120  # characters, as ruff is told
PLACES = "# original vectors on disk, codes in RAM; what was measured had both in RAM, as on_disk=False has\n"
GROWN = "# a segment is indexed and quantized once it has grown to the server's indexing_threshold\n"


class Name(str):
    """A name or an expression of the printed code, where a str would be a string."""


def client_code(
    setting: str, dimension: int, search: str, whole: int | None = None, m: int = engine.M,
    ef_construct: int = engine.EF_CONSTRUCT, collection: str = "my-collection",
) -> str:  # fmt: skip
    """Source for qdrant-client: it creates the collection at QDRANT_URL and defines `store` and `search`.

    `whole` is the dimension of the model's vectors, where these are longer than `dimension`. Thresholds stay the
    server's own. Raises WorkbookError for an unknown setting or search, a product ratio that does not divide the
    dimension, and the searches that only measure a loss: exact and full-ef.
    """
    from qdrant_client import models

    how, chosen = _check(setting, dimension, search), SETTINGS[setting]
    create = {
        "collection_name": collection,
        "vectors_config": models.VectorParams(size=dimension, distance=models.Distance.COSINE),
        "hnsw_config": models.HnswConfigDiff(m=m, ef_construct=ef_construct),
    }
    query = {"collection_name": collection, "query": _cut("vector", dimension, whole), "limit": Name("limit")}
    upload = {
        "collection_name": collection, "vectors": _cut("vectors", dimension, whole), "payload": Name("payloads"),
        "ids": Name("ids"), "wait": True,
    }  # fmt: skip
    if chosen.config:
        create["vectors_config"].on_disk = True
        in_ram = {family: {**options, "always_ram": True} for family, options in chosen.config.items()}
        create["quantization_config"] = quantization.client_config(in_ram)
    if chosen.config or how.hnsw_ef:
        asked = models.QuantizationSearchParams(rescore=how.rescore, oversampling=how.oversampling)
        query["search_params"] = models.SearchParams(hnsw_ef=how.hnsw_ef, quantization=asked if chosen.config else None)
    return f"""\
import os

from qdrant_client import QdrantClient, models

client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
{GROWN}{PLACES if chosen.config else ""}{_call("client.create_collection", create, "models")}


def store(ids, vectors, payloads):
{_note(dimension, whole)}    {_call("client.upload_collection", upload, "models", 4)}


def search(vector, limit=10):
    {_call("found = client.query_points", query, "models", 4)}
    return found.points
"""


def edge_code(
    setting: str, dimension: int, search: str, whole: int | None = None, m: int = engine.M,
    ef_construct: int = engine.EF_CONSTRUCT, path: str = "my-shard",
) -> str:  # fmt: skip
    """Source for Qdrant Edge: it creates the shard in the folder `path` and defines `store` and `search`.

    All else as `client_code`, but for the thresholds, which are those that were measured with: the smallest.
    """
    import qdrant_edge as edge

    how, chosen = _check(setting, dimension, search), SETTINGS[setting]
    config = {
        "vectors": edge.EdgeVectorParams(
            size=dimension, distance=edge.Distance.Cosine, on_disk=True if chosen.config else None
        ),
        "hnsw_config": edge.HnswIndexConfig(m=m, ef_construct=ef_construct, full_scan_threshold=1),
        "optimizers": edge.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
    }
    query = {
        "limit": Name("limit"), "query": Name(f"edge.Query.Nearest({_cut('vector', dimension, whole)})"),
        "with_payload": True,
    }  # fmt: skip
    if chosen.config:
        asked = quantization.edge_config(chosen)
        config["quantization_config"] = type(asked)(**{**_arguments(asked), "always_ram": True})
    if chosen.config or how.hnsw_ef:
        asked = edge.QuantizationSearchParams(rescore=how.rescore, oversampling=how.oversampling)
        query["params"] = edge.SearchParams(hnsw_ef=how.hnsw_ef, quantization=asked if chosen.config else None)
    return f"""\
import qdrant_edge as edge

{PLACES if chosen.config else ""}{_call("config = edge.EdgeConfig", config, "edge")}
{_call("shard = edge.EdgeShard.create", {"path": path, "config": Name("config")}, "edge")}


def store(ids, vectors, payloads):
{_note(dimension, whole)}    rows = zip(ids, {_cut("vectors", dimension, whole)}, payloads, strict=True)
    points = [edge.Point(number, vector.tolist(), payload) for number, vector, payload in rows]
    shard.update(edge.UpdateOperation.upsert_points(points))


# when all is stored: shard.optimize() indexes and quantizes, until then it is searched as float32; then shard.flush()


def search(vector, limit=10):
    {_call("request = edge.QueryRequest", query, "edge", 4)}
    return shard.query(request)
"""


def hybrid_code(
    setting: str, dimension: int, search: str, fusion: str, folder: str, whole: int | None = None,
    collection: str = "my-collection",
) -> str:  # fmt: skip
    """Source for qdrant-client: it creates a collection of vectors and words, and defines `store` and `search` by both.

    `folder` is the model's; words are BM25's, by Qdrant Edge's own `Bm25`, `fusion` as in `engine.FUSIONS`. An exact
    search becomes Qdrant's default one. All else as `client_code`.
    """
    from qdrant_client import models

    how = _check(setting, dimension, "default-ef" if search == "exact" else search)
    create = {
        "collection_name": collection,
        "vectors_config": models.VectorParams(size=dimension, distance=models.Distance.COSINE),
        "sparse_vectors_config": Name('{"words": models.SparseVectorParams(modifier=models.Modifier.IDF)}'),
    }
    by_vector = {"query": _cut("vector", dimension, whole), "limit": engine.CANDIDATES}
    if SETTINGS[setting].config:
        create["vectors_config"].on_disk = True
        in_ram = {family: {**options, "always_ram": True} for family, options in SETTINGS[setting].config.items()}
        create["quantization_config"] = quantization.client_config(in_ram)
        asked = models.QuantizationSearchParams(rescore=how.rescore, oversampling=how.oversampling)
        by_vector["params"] = models.SearchParams(hnsw_ef=how.hnsw_ef, quantization=asked)
    by_words = {"query": Name("sparse(asked)"), "using": "words", "limit": engine.CANDIDATES}
    rrf = models.RrfQuery(rrf=models.Rrf(k=RRF_K))
    how = rrf if fusion == "rrf" else models.FusionQuery(fusion=models.Fusion.DBSF)
    legs = [_source("", _Call("Prefetch", leg), "models", 8, LINE) for leg in (by_vector, by_words)]
    query = {
        "collection_name": collection, "prefetch": Name("legs"), "query": how, "limit": Name("limit")
    }  # fmt: skip
    return f"""\
import os

import qdrant_edge as edge
from qdrant_client import QdrantClient, models
from sentence_transformers import SentenceTransformer

client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
model = SentenceTransformer({json.dumps(folder)}, device="cpu")
{GROWN}{PLACES if SETTINGS[setting].config else ""}{_call("client.create_collection", create, "models")}


def sparse(words):
    return models.SparseVector(indices=list(words.indices), values=list(words.values))


def store(ids, texts):  # all texts at once: BM25 needs their mean length
    bm25 = edge.Bm25(edge.Bm25Config(avg_len=sum(len(text.split()) for text in texts) / len(texts)))
    rows = zip(model.encode(texts){"" if whole in (None, dimension) else f"[:, :{dimension}]"}, texts, strict=True)
    vectors = [{{"": vector, "words": sparse(bm25.embed_document(text))}} for vector, text in rows]
    client.upload_collection({json.dumps(collection)}, vectors, [{{"text": text}} for text in texts], ids, wait=True)


def search(text, limit=10):
    vector, asked = model.encode(text).tolist(), edge.Bm25(edge.Bm25Config()).embed_query(text)
    legs = [
        {legs[0]},
        {legs[1]},
    ]
    {_call("found = client.query_points", query, "models", 4)}
    return found.points
"""


def query_code(folder: str, documents: str, collection: str = "my-collection") -> str:
    """Source for qdrant-client: it defines `search`, by a table of queries, in a collection that has its vectors.

    `folder` is the table's, `documents` the model that encoded the documents.
    """
    query = {"collection_name": collection, "query": Name("queries.encode(text).tolist()"), "limit": Name("limit")}
    return f"""\
import os

from qdrant_client import QdrantClient
from sentence_transformers import SentenceTransformer

client = QdrantClient(url=os.environ["QDRANT_URL"], api_key=os.environ.get("QDRANT_API_KEY"))
queries = SentenceTransformer({json.dumps(folder)}, device="cpu")


def search(text, limit=10):
    # the collection stays as it is: {documents} encoded its documents, and encodes no query
    {_call("found = client.query_points", query, "models", 4)}
    return found.points
"""


def _check(setting: str, dimension: int, search: str) -> Search:
    quantization.check([setting], [dimension])
    how = Search.named(search)
    if how.exact or how.hnsw_ef == engine.ALL:
        raise WorkbookError(f"{search} measures a loss, nobody runs it: give default-ef, ef-N, rescore or rescore-xN")
    if how.rescore and setting == "float32":
        raise WorkbookError("float32 vectors are the originals: there is nothing to rescore; give default-ef")
    return how


def _cut(vectors: str, dimension: int, whole: int | None) -> Name:
    if whole in (None, dimension):
        return Name(vectors)
    return Name(f"vector[:{dimension}]" if vectors == "vector" else f"vectors[:, :{dimension}]")


def _note(dimension: int, whole: int | None) -> str:
    ids = "    # ids: whole numbers or UUIDs; vectors: the model's, a float32 array (n, d) of numpy; payloads: dicts\n"
    if whole in (None, dimension):
        return ids
    return f"{ids}    # the first {dimension} of the model's {whole} dimensions; for cosine Qdrant makes the length 1\n"


def _call(start: str, arguments: dict[str, object], module: str, indent: int = 0, width: float = LINE) -> str:
    """Source of a call by keywords, laid out as ruff does: `start(name=value, ...)`, on a line each if they must."""
    line = f"{start}({', '.join(_source(f'{key}=', value, module) for key, value in arguments.items())})"
    if indent + len(line) <= width:
        return line
    each = [_source(f"{key}=", value, module, indent + 4, LINE - 1) for key, value in arguments.items()]
    return "\n".join([f"{start}(", *(f"{' ' * (indent + 4)}{one}," for one in each), f"{' ' * indent})"])


class _Call(NamedTuple):
    """An object of the printed code, by the name of its class."""

    name: str
    given: dict[str, object]


def _source(start: str, value: object, module: str, indent: int = 0, width: float = float("inf")) -> str:
    kind = type(value).__name__
    if isinstance(value, Name):
        return f"{start}{value}"
    if isinstance(value, _Call):
        return _call(f"{start}{module}.{value.name}", value.given, module, indent, width)
    member = repr(value).lstrip("<").partition(":")[0]
    if member.startswith(f"{kind}."):  # of an enum; Edge's are no Python Enum
        return f"{start}{module}.{member}"
    if isinstance(value, str):
        return start + json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return f"{start}{value}"
    return _call(f"{start}{module}.{kind}", _arguments(value), module, indent, width)


def _arguments(value: object) -> dict[str, object]:
    """What an engine's object was made with, defaults left out."""
    parameters = inspect.signature(type(value)).parameters.values()
    given = {one.name: getattr(value, one.name) for one in parameters}
    return {one.name: given[one.name] for one in parameters if given[one.name] != one.default}
