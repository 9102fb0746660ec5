"""The stand-in answers and refuses as a real server does: no test is to pass that a real one would fail."""

import json
import os
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import standin_rules
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse
from standin import ROUTES

needs_schema = pytest.mark.skipif(
    not os.environ.get(standin_rules.SCHEMA), reason=f"{standin_rules.SCHEMA} is not set: no schema of Qdrant's REST"
)
VECTORS = np.eye(4, dtype=np.float32)
DENSE = {"size": 4, "distance": "Cosine"}
A = "/collections/a"


@pytest.fixture(params=["without a schema", pytest.param("with one", marks=needs_schema)])
def schema(request, monkeypatch):
    """Refusals are the same whether a schema is there or not."""
    if request.param == "without a schema":
        monkeypatch.delenv(standin_rules.SCHEMA, raising=False)


def ask(standin, method, path, body=None):
    """Status and content of an answer over HTTP."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(standin.url + path, content, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read())


def fill(standin, **config):
    """Collection "a": four unit vectors, words in two of the points."""
    assert ask(standin, "PUT", A, {"vectors": DENSE, "sparse_vectors": {"words": {}}, **config})[0] == 200
    points = [
        {"id": row, "vector": {"": vector}, "payload": {"row": row}} for row, vector in enumerate(VECTORS.tolist())
    ]
    points[0]["vector"]["words"] = points[1]["vector"]["words"] = {"indices": [3, 7], "values": [1.0, 2.0]}
    status, answer = ask(standin, "PUT", f"{A}/points", {"points": points})
    assert status == 200, answer


@pytest.fixture(params=["REST", "gRPC"])
def client(request, server):
    """A client of the stand-in, for what both can carry."""
    qdrant = QdrantClient(
        url=server.url, grpc_port=server.grpc_port, prefer_grpc=request.param == "gRPC", check_compatibility=False
    )
    yield qdrant
    qdrant.close()


@needs_schema
class TestAnswersAreARealServers:
    def test_on_every_route(self, server):
        server.nodes = 3
        asked = [
            ("GET", "/", None),
            ("GET", "/collections", None),
            ("PUT", A, {"vectors": DENSE, "sparse_vectors": {"words": {"modifier": "idf"}}, "replication_factor": 2}),
            ("GET", f"{A}/exists", None),
            ("PUT", f"{A}/points", {"points": [{"id": 1, "vector": [1.0, 0.0, 0.0, 0.0], "payload": {"row": 1}}]}),
            ("PUT", f"{A}/points", {"batch": {"ids": [2, 3], "vectors": {"": VECTORS[:2].tolist()}}}),
            ("POST", f"{A}/points", {"ids": [1, 2], "with_payload": True, "with_vector": True}),
            ("POST", f"{A}/points/query", {"query": [1.0, 0.0, 0.0, 0.0], "limit": 2, "with_payload": True}),
            ("POST", f"{A}/points/query/batch", {"searches": [{"query": 1, "params": {"exact": True}}]}),
            ("POST", f"{A}/points/scroll", {"limit": 1, "with_vector": True}),
            ("POST", f"{A}/points/count", {"exact": True}),
            ("PATCH", A, {"quantization_config": {"scalar": {"type": "int8"}}, "hnsw_config": {"m": 32}}),
            ("PATCH", A, {"quantization_config": "Disabled", "strict_mode_config": {"max_query_limit": 9}}),
            ("GET", A, None),
            ("GET", f"{A}/cluster", None),
            ("GET", "/cluster", None),
            ("DELETE", A, None),
        ]
        for method, path, body in asked:
            status, answer = ask(server, method, path, body)
            assert status == 200, answer
            assert standin_rules.wrong_response(method, path, answer) == [], path
        patterns = {(method, pattern.replace("([^/]+)", "a")) for method, pattern in ROUTES}
        assert patterns <= {(method, path) for method, path, _ in asked}, "a new route is asked here, too"

    @pytest.mark.parametrize("status", ["green", "yellow", "grey", "red"])
    def test_whatever_it_is_told_to_be(self, server, status):
        server.nodes, server.statuses, server.strict = 3, [status], {"max_query_limit": 5}
        fill(server, replication_factor=2)
        server.lost = 3
        for path in (A, f"{A}/cluster"):
            assert standin_rules.wrong_response("GET", path, ask(server, "GET", path)[1]) == []

    def test_and_an_answer_that_is_not_is_found(self):
        wrong = {"status": "ok", "time": 0.0, "result": {"exists": "yes"}}
        assert standin_rules.wrong_response("GET", f"{A}/exists", wrong) == [
            "$.result.exists: 'yes' is not of type 'boolean'"
        ]


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "path", "body", "said"),
        [
            ("PUT", A, {"hnsw_config": {"full_scan_threshold": 1}},
             "hnsw_config.full_scan_threshold: value 1 invalid, must be 10 or larger"),
            ("PATCH", A, {"hnsw_config": {"ef_construct": 3}},
             "hnsw_config.ef_construct: value 3 invalid, must be 4 or larger"),
            ("PUT", A, {"quantization_config": {"scalar": {"type": "int8", "quantile": 0.4}}},
             "quantization_config.scalar.quantile: value 0.4 invalid, must be from 0.5 to 1.0"),
            ("PUT", A, {"vectors": {"text": {"size": 0, "distance": "Dot"}}},
             "vectors.text.size: value 0 invalid, must be from 1 to 65536"),
            ("PUT", A, {"shard_number": 0}, "shard_number: value 0 invalid, must be 1 or larger"),
            ("POST", f"{A}/points/scroll", {"limit": 0}, "limit: value 0 invalid, must be 1 or larger"),
            ("POST", f"{A}/points/query/batch",
             {"searches": [{"limit": 1}, {"limit": 0, "params": {"quantization": {"oversampling": 0.5}}}]},
             "searches[1].limit: value 0 invalid, must be 1 or larger; "
             "searches[1].params.quantization.oversampling: value 0.5 invalid, must be 1.0 or larger"),
        ],
    )  # fmt: skip
    def test_of_a_number_out_of_bounds(self, server, schema, method, path, body, said):
        status, answer = ask(server, method, path, body)
        assert (status, answer["status"]) == (422, {"error": f"Validation error in JSON body: [{said}]"})

    def test_not_of_what_people_number_themselves(self, server, schema):
        fill(server)
        point = {"id": 9, "vector": VECTORS[0].tolist(), "payload": {"limit": 0, "size": 0, "bits": "bits8"}}
        assert ask(server, "PUT", f"{A}/points", {"points": [point]})[0] == 200

    @needs_schema
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"quantization_config": {"scalar": {"type": "int4"}}}, 400),
            ({"vectors": {"size": 4}}, 400),
            ({"on_disk_payload": "yes"}, 400),
            ({"replication_factor": -1}, 422),
        ],
    )
    def test_of_another_shape(self, server, body, status):
        said, answer = ask(server, "PUT", A, body)
        assert said == status and "error in JSON body: " in answer["status"]["error"]

    @needs_schema
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda points: points[3]["vector"][""].append("much"),
            lambda points: points[2].pop("vector"),
            lambda points: points[2].update(payload=[1]),
            lambda points: points[3].update(id=-3),
            lambda points: points[3].update(id=1.5),
            lambda points: points[1]["vector"]["words"].update(indices=[1, -2]),
            lambda points: points[1]["vector"]["words"].update(indices=[1, 2.5]),
            lambda points: points[1]["vector"]["words"].pop("values"),
        ],
    )
    def test_of_one_point_among_many(self, server, spoil):
        """What is validated is an outline of the body, in which no fault may be lost."""
        fill(server)
        [points] = [body["points"] for _, path, body, _ in server.asked if path == f"{A}/points"]
        spoil(points)
        assert ask(server, "PUT", f"{A}/points", {"points": points})[0] in (400, 422)

    @pytest.mark.parametrize(
        ("version", "config", "status"),
        [
            ("1.20.0", {"quantization_config": {"turbo": {"bits": "bits8"}}}, 200),
            ("1.19.4", {"quantization_config": {"turbo": {"bits": "bits8"}}}, 400),
            ("1.19.4", {"quantization_config": {"turbo": {"bits": "bits4"}}}, 200),
            ("1.19.4", {"vectors": {**DENSE, "datatype": "turbo8"}}, 400),
            ("1.20.1", {"vectors": {**DENSE, "datatype": "turbo8"}}, 200),
        ],
    )
    def test_of_what_the_version_does_not_know(self, server, schema, version, config, status):
        server.version = version
        assert ask(server, "GET", "/")[1]["version"] == version
        said, answer = ask(server, "PUT", A, {"vectors": DENSE, **config})
        assert said == status
        if status == 400:
            assert "did not match any variant of untagged enum" in answer["status"]["error"]

    def test_of_a_second_collection_of_that_name(self, server):
        fill(server)
        assert ask(server, "PUT", A, {"vectors": DENSE})[0] == 409


class TestStrictMode:
    @pytest.mark.parametrize(
        ("strict", "path", "body", "said"),
        [
            ({"max_query_limit": 50}, "scroll", {"limit": 10_000}, 'Limit exceeded 10000 > 50 for "limit". Help: '),
            ({"max_query_limit": 5}, "query", {"query": 1}, 'Limit exceeded 10 > 5 for "limit"'),
            ({"max_query_limit": 5}, "query/batch",
             {"searches": [{"query": {"fusion": "rrf"}, "limit": 3, "prefetch": {"query": 1, "limit": 6}}]},
             'Limit exceeded 6 > 5 for "limit"'),
            ({"search_max_batchsize": 1}, "query/batch", {"searches": [{}, {}]}, '2 > 1 for "search batch size"'),
            ({"search_max_hnsw_ef": 64}, "query", {"params": {"hnsw_ef": 128}}, '128 > 64 for "hnsw_ef"'),
            ({"search_max_oversampling": 2}, "query", {"params": {"quantization": {"oversampling": 3.0}}},
             '3.0 > 2 for "oversampling"'),
            ({"search_allow_exact": False}, "query", {"query": 1, "params": {"exact": True}}, "Exact search disabled!"),
            ({"search_allow_exact": False}, "count", {}, "Exact search disabled!. Help: Set exact=false."),
        ],
    )  # fmt: skip
    def test_forbids(self, server, schema, strict, path, body, said):
        fill(server)
        assert ask(server, "POST", f"{A}/points/{path}", body)[0] == 200, "before"
        server.strict = strict
        status, answer = ask(server, "POST", f"{A}/points/{path}", body)
        assert status == 400 and said in answer["status"]["error"]

    def test_may_be_one_collections_own(self, server):
        fill(server, strict_mode_config={"enabled": False, "max_query_limit": 2})
        assert ask(server, "POST", f"{A}/points/scroll", {"limit": 3})[0] == 200, "not enabled"
        ask(server, "PATCH", A, {"strict_mode_config": {"enabled": True}})
        assert ask(server, "POST", f"{A}/points/scroll", {"limit": 3})[0] == 400
        told = ask(server, "GET", A)[1]["result"]["config"]["strict_mode_config"]
        assert told == {"enabled": True, "max_query_limit": 2}

    def test_limits_what_is_written_at_once(self, server, client):
        fill(server)
        server.strict = {"upsert_max_batchsize": 1}
        with pytest.raises(Exception, match=r"Limit exceeded 4 > 1 for .*upsert limit"):
            client.upload_collection("a", VECTORS, max_retries=0)

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("points/query/batch", {"searches": [{"query": 1}] * 3}),
            ("points/query", {"prefetch": [{"query": 1}] * 3, "query": {"fusion": "rrf"}}),
            ("points", {"ids": [0, 1, 2]}),
        ],
    )
    def test_a_request_larger_than_a_minutes_limit_is_never_answered(self, server, path, body):
        fill(server)
        server.strict = {"read_rate_limit": 2}
        status, answer = ask(server, "POST", f"{A}/{path}", body)
        assert status == 429 and answer["status"]["error"].endswith("please try to split your request")

    def test_a_minutes_limit_that_is_used_up_says_how_long(self, server, client):
        fill(server)
        server.busy = 1
        with pytest.raises(ResourceExhaustedResponse) as told:
            client.query_batch_points("a", [models.QueryRequest(query=VECTORS[0].tolist())])
        assert told.value.retry_after_s == 1
        assert len(client.query_batch_points("a", [models.QueryRequest(query=VECTORS[0].tolist())])) == 1


class TestACluster:
    def states(self, server):
        told = ask(server, "GET", f"{A}/cluster")[1]["result"]
        local = [(shard["shard_id"], 1, shard["state"]) for shard in told["local_shards"]]
        return sorted(
            local + [(shard["shard_id"], shard["peer_id"], shard["state"]) for shard in told["remote_shards"]]
        )

    def test_copies_are_placed_round_robin(self, server):
        server.nodes = 3
        fill(server, replication_factor=2)
        assert [state[:2] for state in self.states(server)] == [(0, 1), (0, 2), (1, 1), (1, 3), (2, 2), (2, 3)]
        told = ask(server, "GET", A)[1]["result"]["config"]["params"]
        assert (told["shard_number"], told["replication_factor"], told["write_consistency_factor"]) == (3, 2, 1)

    def test_a_lost_copy_is_dead_and_its_shard_answers(self, server):
        server.nodes = 3
        fill(server, replication_factor=2)
        server.lose_after = 1
        assert {state for *_, state in self.states(server)} == {"Active"}, "the request before"
        assert [state for state in self.states(server) if state[2] == "Dead"] == [(1, 3, "Dead"), (2, 3, "Dead")]
        assert ask(server, "POST", f"{A}/points/count", {})[1]["result"] == {"count": 4}
        point = {"id": 5, "vector": VECTORS[0].tolist()}
        assert ask(server, "PUT", f"{A}/points", {"points": [point]})[0] == 200
        told = ask(server, "GET", "/cluster")[1]["result"]
        assert list(told["peers"]) == ["1", "2", "3"] and list(told["message_send_failures"]) == [
            "http://127.0.0.1:6355/"
        ]
        server.lost = None
        assert {state for *_, state in self.states(server)} == {"Active"}, "it is back"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", A, None),
            ("POST", f"{A}/points/count", {}),
            ("POST", f"{A}/points/query", {"query": 1}),
            ("POST", f"{A}/points", {"ids": [0]}),
            ("PUT", f"{A}/points", {"points": [{"id": 5, "vector": VECTORS[0].tolist()}]}),
        ],
    )
    def test_an_only_copy_that_is_lost_stops_what_needs_it(self, server, method, path, body):
        server.nodes = 3
        fill(server)
        server.lost = 3
        status, answer = ask(server, method, path, body)
        assert status == 500 and answer["status"]["error"].startswith("Service internal error: ")
        assert "Failed to connect to http://127.0.0.1:6355/" in answer["status"]["error"]
        kept = {"points": [{"id": 6, "vector": VECTORS[0].tolist()}]}
        assert ask(server, "PUT", f"{A}/points", kept)[0] == 200, "of a shard whose copy is there"

    def test_writes_need_as_many_copies_as_asked_for(self, server):
        server.nodes = 3
        fill(server, replication_factor=2, write_consistency_factor=2)
        server.lost = 3
        assert ask(server, "POST", f"{A}/points/count", {})[0] == 200
        points = [{"id": row, "vector": VECTORS[0].tolist()} for row in range(3)]
        assert ask(server, "PUT", f"{A}/points", {"points": points})[0] == 500


class TestGrpc:
    """What the client sends in bulk does the same over both, and both fail together."""

    def test_it_stores_and_finds(self, server, client):
        server.create("a", {"vectors": DENSE, "sparse_vectors": {"words": {}}})
        assert [each.name for each in client.get_collections().collections] == ["a"]
        client.upload_collection("a", VECTORS, payload=[{"row": row} for row in range(4)], ids=range(4), wait=True)
        words = {"words": models.SparseVector(indices=[3], values=[2.0])}
        client.upsert("a", [models.PointStruct(id=4, vector=words)])
        fused = models.QueryRequest(
            query=models.RrfQuery(rrf=models.Rrf(k=2)),
            prefetch=[
                models.Prefetch(query=VECTORS[2].tolist(), params=models.SearchParams(exact=True), limit=1),
                models.Prefetch(query=models.SparseVector(indices=[3], values=[1.0]), using="words"),
            ],
        )
        nearest = models.QueryRequest(query=VECTORS[1].tolist(), limit=1, with_payload=True)
        [first], both = (answer.points for answer in client.query_batch_points("a", [nearest, fused]))
        assert (first.id, first.score, first.payload) == (1, pytest.approx(1), {"row": 1})
        assert sorted(point.id for point in both) == [2, 4]
        carried = {"List", "Upsert", "QueryBatch"}
        assert set(server.rpcs) == (carried if client._client._prefer_grpc else set())
        assert ("PUT", f"{A}/points") in server.requests and ("POST", f"{A}/points/query/batch") in server.requests

    @pytest.mark.parametrize(
        ("status", "code"),
        [(401, "UNAUTHENTICATED"), (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")],
    )
    def test_a_failure_has_its_code(self, server, client, status, code):
        server.failures = [status]
        with pytest.raises((grpc.RpcError, ApiException), match="told to fail") as told:
            client.get_collections()
        if isinstance(told.value, UnexpectedResponse):
            assert told.value.status_code == status
        else:
            assert told.value.code() == grpc.StatusCode[code]
