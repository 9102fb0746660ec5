"""What a real server refuses of a request, in its statuses and words: limits, shapes, and a collection's strict mode.

Read from Qdrant 1.18.3's source. Where WORKBOOK_QDRANT_SCHEMA names a JSON Schema of its REST interface, each request
is also validated by that.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.exceptions import best_match

SCHEMA = "WORKBOOK_QDRANT_SCHEMA"
DEFS = "#/$defs/"
# smallest and largest value of what we set, wherever it stands
LIMITS = {
    "ef_construct": (4, None),
    "full_scan_threshold": (10, None),
    "hnsw_ef": (1, None),
    "limit": (1, None),
    "max_query_limit": (1, None),
    "oversampling": (1.0, None),
    "quantile": (0.5, 1.0),
    "read_rate_limit": (1, None),
    "replication_factor": (1, None),
    "shard_number": (1, None),
    "size": (1, 65_536),
    "write_consistency_factor": (1, None),
}
# values that came with a version; an older one knows no such variant
SINCE = {
    "bits": ({"bits8": (1, 20)}, "untagged enum QuantizationConfig"),
    "datatype": ({"turbo4": (1, 19), "turbo8": (1, 20), "turbo16": (1, 20)}, "untagged enum VectorsConfig"),
}
FREE = ("filter", "payload", "query", "vector")  # what people name or number as they like


class Refused(Exception):
    """A request that is answered with a status and words."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status, self.words = status, words


def check_body(method: str, path: str, body: dict, version: str) -> None:
    """Raise Refused for a body that this version of Qdrant cannot read (400) or whose numbers it forbids (422)."""
    release = tuple(int(part) for part in version.split(".")[:2])
    broken = []
    for place, name, value in _settings(body):
        known, variant = SINCE.get(name, ({}, ""))
        if isinstance(value, str) and known.get(value, release) > release:
            raise Refused(400, f"Format error in JSON body: data did not match any variant of {variant}")
        least, most = LIMITS.get(name, (None, None))
        if (
            type(value) in (int, float)
            and least is not None
            and not least <= value <= (value if most is None else most)
        ):
            broken.append(_range(place, value, least, most))
    if broken:
        raise Refused(422, f"Validation error in JSON body: [{'; '.join(broken)}]")
    validator = _schema("request").get(_template(method, path))
    errors = list(validator.iter_errors(_outline(body))) if validator else []
    if errors:
        raise Refused(*_told(errors))


def wrong_response(method: str, path: str, answer: object) -> list[str]:
    """What an answer with status 200 has that a real server's has not; nothing without a schema."""
    validator = _schema("response").get(_template(method, path))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)] if validator else []


def check_strict(action: str, body: dict, strict: dict) -> None:
    """Raise Refused for what a collection's strict mode forbids; `action` as the stand-in's methods are called."""
    if not strict.get("enabled"):
        return
    searches = body.get("searches", []) if action == "query" else [body] if action == "query_one" else []
    if action == "query":
        _at_most(len(searches), strict.get("search_max_batchsize"), "search batch size")
    for search in searches:
        _check_search(search, strict)
    if action == "scroll":
        _at_most(body.get("limit"), strict.get("max_query_limit"), "limit")
    if action == "count":
        _allow_exact(body.get("exact", True), strict)
    if action == "upsert":
        _at_most(len(points(body)), strict.get("upsert_max_batchsize"), "upsert limit")
    limit = strict.get("write_rate_limit" if action == "upsert" else "read_rate_limit")
    if limit and _cost(action, body) > limit:
        kind = "Write" if action == "upsert" else "Read"
        larger = "request larger than rate limiter capacity, please try to split your request"
        raise Refused(429, f"Rate limiting exceeded: {kind} rate limit exceeded, {larger}")


def points(body: dict) -> list:
    """Ids of what is upserted, as a list of points or as a batch."""
    return body["batch"]["ids"] if "batch" in body else [point["id"] for point in body["points"]]


def _check_search(search: dict, strict: dict) -> None:
    for prefetch in _prefetches(search):
        _check_search(prefetch, strict)
    _at_most(search.get("limit") or 10, strict.get("max_query_limit"), "limit")
    params = search.get("params") or {}
    _at_most(
        (params.get("quantization") or {}).get("oversampling"), strict.get("search_max_oversampling"), "oversampling"
    )
    _at_most(params.get("hnsw_ef"), strict.get("search_max_hnsw_ef"), "hnsw_ef")
    _allow_exact(params.get("exact"), strict)


def _cost(action: str, body: dict) -> int:
    """Tokens that a request takes of a shard's limit; filters and sparse queries of many words would take more."""
    if action == "query":
        return sum(_cost("query_one", search) for search in body["searches"])
    if action == "query_one":
        return sum(_cost("query_one", prefetch) for prefetch in _prefetches(body)) or 1
    return len(body["ids"]) if action == "retrieve" else len(points(body)) if action == "upsert" else 1


def _prefetches(search: dict) -> list[dict]:
    prefetch = search.get("prefetch") or []
    return [prefetch] if isinstance(prefetch, dict) else prefetch


def _at_most(value: float | None, limit: float | None, name: str) -> None:
    if value is not None and limit is not None and value > limit:
        advice = f'Help: Reduce the "{name}" parameter to or below {limit}.'
        raise Refused(400, f'Bad request: Limit exceeded {value} > {limit} for "{name}". {advice}')


def _allow_exact(exact: bool | None, strict: dict) -> None:
    if exact and strict.get("search_allow_exact") is False:
        raise Refused(400, "Bad request: Exact search disabled!. Help: Set exact=false.")


def _settings(body: object, place: str = "") -> Iterator[tuple[str, str, object]]:
    """Where each setting of a body stands, its name and value; not what is inside of points, filters and queries."""
    if isinstance(body, list):
        for row, value in enumerate(body):
            yield from _settings(value, f"{place}[{row}]")
    elif isinstance(body, dict):
        for name, value in body.items():
            there = f"{place}.{name}" if place else name
            yield there, name, value
            if name not in (*FREE, "points", "batch", "ids"):
                yield from _settings(value, there)


def _range(place: str, value: float, least: float | None, most: float | None) -> str:
    """As Qdrant writes it."""
    bounds = f"from {least} to {most}" if None not in (least, most) else f"{most} or smaller"
    return f"{place}: value {value} invalid, must be {bounds if most is not None else f'{least} or larger'}"


@cache
def _read(file: str) -> dict:
    """The schema, and in it the values that a version after it has: which version knows them is told by SINCE."""
    schema = json.loads(Path(file).read_text(encoding="utf-8"))
    turbo = ["turbo8", "turbo16"]
    newer = {"TurboQuantBitSize": ["bits8"], "Datatype": turbo, "VectorStorageDatatype": turbo}
    for name, values in newer.items():
        schema["$defs"][name]["enum"] = sorted({*schema["$defs"][name]["enum"], *values})
    return schema


def _schema(part: str) -> dict[str, Draft202012Validator]:
    """Validators of requests or of responses by method and path; none without a schema."""
    file = os.environ.get(SCHEMA)
    return _validators(file, part) if file else {}


@cache
def _validators(file: str, part: str) -> dict[str, Draft202012Validator]:
    schema = _read(file)

    def ref(validator, target, instance, _):
        """A definition looked up by its name: resolving its address takes most of the time."""
        name = target.removeprefix(DEFS)
        yield from validator.descend(instance, schema["$defs"][name], schema_path=name)

    kind = validators.extend(Draft202012Validator, {"$ref": ref})
    return {
        f"{method.upper()} {path}": kind(bodies[part])
        for path, methods in schema["paths"].items()
        for method, bodies in methods.items()
        if part in bodies
    }


def _template(method: str, path: str) -> str:
    return f"{method} {re.sub('^/collections/[^/]+', '/collections/{collection_name}', path)}"


def _outline(value: object, name: str = "") -> object:
    """A body that is valid if, and only if, this one is, and is validated in a hundredth of the time: no array of the
    schema that we use limits its length or its floats, so one of equal elements stands for all.
    """
    if name == "filter":
        return value  # its ids must differ
    if name == "payload" and isinstance(value, dict):
        return {}
    if name == "id" and type(value) is int and value >= 0:
        return 0
    if isinstance(value, dict):
        return {key: _outline(each, key) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    kinds = {*map(type, value)}
    if kinds == {float}:
        return [0.5]
    if kinds == {int}:
        return [min(0, *value)]
    return list({repr(each): each for each in map(_outline, value)}.values())


def _told(errors: list[ValidationError]) -> tuple[int, str]:
    """422 where a number is out of bounds, else 400; a real server's words are others."""
    broken = [error for error in _leaves(errors) if error.validator in ("minimum", "maximum")]
    status, error = (422, broken[0]) if broken else (400, best_match(errors))
    return (
        status,
        f"{'Validation' if broken else 'Format'} error in JSON body: {error.json_path}: {error.message[:200]}",
    )


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        yield from _leaves(error.context) if error.context else [error]
