"""Servers that fail, refuse, are slow or lose an answer: calls are tried again, what they did is told in a line."""

import time

import pytest
from workbook.errors import WorkbookError
from workbook.qdrant import patience
from workbook.qdrant.engine import Search
from workbook.qdrant.patience import patiently
from workbook.qdrant.server import connect

EXACT = Search(exact=True)


class TestPatience:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_an_error_of_the_server_is_tried_again(self, server, status):
        qdrant = connect()
        server.failures = [status] * patience.RETRIES
        server.requests.clear()
        assert patiently(qdrant.get_collections).collections == []
        assert len(server.requests) == 1 + patience.RETRIES

    def test_but_not_for_ever(self, server):
        qdrant = connect()
        server.failures = [503] * 99
        server.requests.clear()
        with pytest.raises(WorkbookError, match=r"Qdrant at QDRANT_URL answers 503 \(told to fail.*7 times: is it run"):
            patiently(qdrant.get_collections)
        assert len(server.requests) == 1 + patience.RETRIES

    def test_a_wrong_request_is_not_tried_again(self, server):
        qdrant = connect()
        server.requests.clear()
        with pytest.raises(WorkbookError, match=r"refuses this \(404: Not found: Collection `none` not found!\)"):
            patiently(qdrant.get_collection, "none")
        assert len(server.requests) == 1

    def test_pauses_grow_unless_the_server_names_them(self, server, monkeypatch):
        qdrant, pauses = connect(), []
        monkeypatch.setattr(patience, "PAUSE", 1)
        monkeypatch.setattr(time, "sleep", lambda seconds: seconds and pauses.append(seconds))
        server.failures = [500, 500, 500]
        patiently(qdrant.get_collections)
        server.failures, server.headers = [429, 429], {"Retry-After": "7"}
        patiently(qdrant.get_collections)
        server.failures, server.headers = [429, 429, 429], {"Retry-After": "3600"}
        patiently(qdrant.get_collections)
        assert pauses == [1, 2, 4, 7, 7, *[patience.TIMEOUT] * 3]

    def test_a_programmers_error_is_not_hidden(self, server):
        qdrant = connect()
        qdrant.close()
        with pytest.raises(Exception, match="client has been closed"):
            patiently(qdrant.get_collections)

    def test_a_slow_server(self, server, monkeypatch):
        monkeypatch.setattr(patience, "TIMEOUT", 1)
        monkeypatch.setattr(patience, "FIRST_RETRIES", 0)
        server.delay = 1.5
        with pytest.raises(WorkbookError, match=r"does not answer \(ReadTimeout\), 1 times"):
            connect()

    @pytest.mark.parametrize("grpc", [True, False])
    def test_what_a_strict_mode_forbids_says_where_to_change_it(self, server, index_on, unit_vectors, grpc):
        server.grpc, server.strict = grpc, {"max_query_limit": 50}
        index = index_on()
        index.upsert(unit_vectors, None)
        with pytest.raises(WorkbookError, match=r'101 > 50 for "limit".*: its strict mode does: change strict_'):
            index.search(unit_vectors[:1], 101, EXACT)

    def test_a_creation_whose_answer_was_lost_is_not_made_twice(self, server, index_on, monkeypatch):
        lose_the_first_answer(server, "PUT", monkeypatch)
        index = index_on()
        assert server.collections == [index._collection] and len(server.calls("PUT", index._collection)) == 1

    def test_a_batch_whose_answer_was_lost_is_stored_once(self, server, index_on, unit_vectors, monkeypatch):
        index = index_on()
        lose_the_first_answer(server, "PUT", monkeypatch)
        index.upsert(unit_vectors, None)
        assert len(server.calls("PUT", "/points")) == 2
        assert index.indexed() == 500

    def test_failed_tries_are_no_search_seconds(self, server, index_on, unit_vectors, monkeypatch):
        index = index_on()
        index.upsert(unit_vectors, None)
        monkeypatch.setattr(patience, "PAUSE", 30)
        clock = [0.0]
        monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
        server.failures = [503, 503]
        ids, _, seconds = index.search(unit_vectors[:1], 1, EXACT)
        assert ids == [[0]] and clock[0] == 90 and seconds == 0


def lose_the_first_answer(standin, method, monkeypatch):
    """The server does as asked, but says 502 to the first request of that method."""
    answer, lost = standin.answer, []

    def lossy(asked, *others):
        result = answer(asked, *others)
        if asked == method and not lost:
            lost.append(asked)
            return 502, "lost"
        return result

    monkeypatch.setattr(standin, "answer", lossy)
