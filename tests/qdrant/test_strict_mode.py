"""Requests as large as strict mode lets them be, and what it forbids in one line."""

from types import SimpleNamespace

import pytest
from qdrant_client import models
from workbook.errors import WorkbookError
from workbook.experiments import existing
from workbook.qdrant import existing_collection
from workbook.qdrant.engine import Search
from workbook.qdrant.existing_collection import _needed as needed
from workbook.qdrant.strict_mode import StrictMode


@pytest.mark.parametrize("told", [None, {"enabled": False, "max_query_limit": 1, "search_allow_exact": False}])
def test_what_is_switched_off_limits_nothing(told):
    strict = StrictMode.of(info(told))
    assert (strict.page(900), strict.listed(900), strict.queries(900, 1), strict.points(900)) == (900,) * 4
    strict.check(needed(10), "it", "lift that")


@pytest.mark.parametrize(
    ("told", "page", "listed", "queries", "filtered", "points"),
    [
        ({}, 500, 500, 500, 500, 500),
        ({"max_query_limit": 50}, 50, 50, 500, 500, 500),
        ({"max_query_limit": 50, "condition_max_size": 20}, 50, 20, 500, 500, 500),
        ({"condition_max_size": 20}, 500, 20, 500, 500, 500),
        ({"search_max_batchsize": 7}, 500, 500, 7, 7, 500),
        ({"read_rate_limit": 60}, 500, 500, 15, 7, 500),
        ({"read_rate_limit": 2}, 500, 500, 1, 1, 500),
        ({"upsert_max_batchsize": 9, "write_rate_limit": 100}, 500, 500, 500, 500, 9),
        ({"upsert_max_batchsize": 90, "write_rate_limit": 100}, 500, 500, 500, 500, 25),
        ({"max_query_limit": 9_000, "read_rate_limit": 9_000, "write_rate_limit": 9_000}, *(500,) * 5),
    ],
)
def test_what_one_request_holds(told, page, listed, queries, filtered, points):
    """A quarter of what a minute's limit allows, where a query costs one, and one more with a condition."""
    strict = StrictMode.of(info({"enabled": True, **told}))
    assert (strict.page(500), strict.listed(500), strict.points(500)) == (page, listed, points)
    assert (strict.queries(500), strict.queries(500, conditions=1)) == (queries, filtered)


@pytest.mark.parametrize(
    ("told", "short"),
    [
        ({"search_allow_exact": False}, "search_allow_exact is false, needed is true"),
        ({"max_query_limit": 10}, "max_query_limit is 10, needed is 11 or more"),
        ({"search_max_hnsw_ef": 64}, "search_max_hnsw_ef is 64, needed is 500 or more"),
        ({"search_max_oversampling": 2.5}, "search_max_oversampling is 2.5, needed is 3.0 or more"),
        ({"read_rate_limit": 1}, "read_rate_limit is 1, needed is 2 or more"),
        ({"filter_max_conditions": 0}, "filter_max_conditions is 0, needed is 1 or more"),
        (
            {"search_allow_exact": False, "max_query_limit": 1},
            "search_allow_exact is false, needed is true; max_query_limit is 1, needed is 11 or more",
        ),
    ],
)
def test_what_forbids_a_measurement_is_told_by_its_name(told, short):
    searches = [Search(), Search(hnsw_ef=500), Search(rescore=True, oversampling=3.0)]
    with pytest.raises(WorkbookError) as error:
        StrictMode.of(info({"enabled": True, **told})).check(needed(11, searches), "it", "lift that")
    assert str(error.value) == f"it forbids what is measured: in strict_mode_config {short}: lift that"


def test_what_is_just_enough_is_let_through():
    told = {
        "enabled": True, "search_allow_exact": True, "max_query_limit": 11, "search_max_hnsw_ef": 500,
        "search_max_oversampling": 3.0, "search_max_batchsize": 1, "upsert_max_batchsize": 1, "read_rate_limit": 2,
        "filter_max_conditions": 1, "condition_max_size": 1,
    }  # fmt: skip
    searches = [Search(hnsw_ef=500), Search(rescore=True, oversampling=3.0)]
    StrictMode.of(info(told)).check(needed(11, searches), "it", "lift that")


def info(strict):
    """What a server tells of a collection with this strict mode."""
    config = models.StrictModeConfigOutput.model_validate(strict) if strict else None
    return SimpleNamespace(config=SimpleNamespace(strict_mode_config=config))


STRICT = {
    "enabled": True, "max_query_limit": 50, "search_max_batchsize": 20, "read_rate_limit": 60, "write_rate_limit": 100,
    "upsert_max_batchsize": 30, "condition_max_size": 3,
}  # fmt: skip


def test_what_strict_mode_allows_is_enough(server, articles, measured, monkeypatch):
    monkeypatch.setattr(existing, "LATENCY_QUERIES", 2)
    free = measured()
    server.strict = STRICT
    assert measured() == free
    with existing_collection.opened("articles", "") as collection:
        points = collection.vectors(range(7))
        assert len(points) == 7
        server.asked.clear()
        scores = collection.scores(points[:3], [[0, 1, 2, 3, 4, 5, 6], [], [1, 2, 3, 4]])
        assert [len(row) for row in scores] == [7, 0, 4]
    [batch] = [body for _, path, body, _ in server.asked if path.endswith("/query/batch")]
    listed = [search["filter"]["must"][0]["has_id"] for search in batch["searches"]]
    assert listed == [[0, 1, 2], [3, 4, 5], [6], [1, 2, 3], [4]]


@pytest.mark.parametrize(
    ("strict", "short"),
    [
        ({"search_allow_exact": False}, "search_allow_exact is false, needed is true"),
        ({"max_query_limit": 10}, "max_query_limit is 10, needed is 11 or more"),
    ],
)
def test_what_strict_mode_forbids_is_told_before_any_work(server, articles, strict, short):
    server.strict = {"enabled": True, **strict}
    for refused in (existing.check, lambda *given: existing.measure(*given, ["default-ef"])):
        with pytest.raises(WorkbookError, match=f"collection articles forbids .* in strict_mode_config {short}: lift"):
            refused("articles", "", ["float32"])
    assert not any("/query" in path or method == "PUT" for method, path in server.requests if "articles" not in path)


@pytest.mark.parametrize(
    ("strict", "short"),
    [
        ({"search_max_hnsw_ef": 64}, "search_max_hnsw_ef is 64, needed is 500 or more"),
        ({"max_points_count": 499}, "max_points_count is 499, needed is 500 or more"),
        ({"search_allow_exact": False}, "search_allow_exact is false, needed is true"),
    ],
)
def test_what_a_server_forbids_of_new_collections_is_told_before_any_work(server, fill, strict, short):
    own = models.StrictModeConfig(enabled=False)
    fill("articles", models.VectorParams(size=64, distance=models.Distance.COSINE), strict_mode_config=own)
    server.strict = {"enabled": True, **strict}
    with pytest.raises(WorkbookError, match=f"gives to new collections forbids .* in strict_mode_config {short}"):
        existing.measure("articles", "", ["float32"], ["full-ef"], queries=20)
    assert not any(path.endswith(("/query/batch", "/points")) for _, path in server.requests)
    assert server.collections == ["articles"]
