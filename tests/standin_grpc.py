"""The stand-in's gRPC: what the client asks in bulk, turned into the request that REST would have carried.

So all that the stand-in is told to do, refuse and forget holds over both.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
from qdrant_client import grpc as qdrant
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
}
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class _Service(qdrant.CollectionsServicer, qdrant.PointsServicer):
    """What is not overridden is answered UNIMPLEMENTED."""

    def __init__(self, standin):
        self._standin = standin

    def _ask(self, context: grpc.ServicerContext, rpc: str, method: str, path: str, body: dict | None = None):
        """The result of `answer`; ends the call where REST would have another status than 200."""
        self._standin.rpcs.append(rpc)
        metadata = dict(context.invocation_metadata())
        answered = self._standin.receive(method, path, body or {}, metadata.get("api-key"))
        if answered is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        status, result, headers = answered
        if self._standin.page is not None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no gRPC here")
        if status != 200:
            context.set_trailing_metadata([(name.lower(), value) for name, value in headers.items()])
            context.abort(CODES.get(status, grpc.StatusCode.INTERNAL), str(result))
        return result

    def List(self, request, context):
        told = self._ask(context, "List", "GET", "/collections")
        return qdrant.ListCollectionsResponse(
            collections=[qdrant.CollectionDescription(**collection) for collection in told["collections"]]
        )

    def Upsert(self, request, context):
        body = {"points": [_json(GrpcToRest.convert_point_struct(point)) for point in request.points]}
        told = self._ask(context, "Upsert", "PUT", f"/collections/{request.collection_name}/points", body)
        result = RestToGrpc.convert_update_result(models.UpdateResult(**told))
        return qdrant.PointsOperationResponse(result=result)

    def QueryBatch(self, request, context):
        body = {"searches": [_json(GrpcToRest.convert_query_points(query)) for query in request.query_points]}
        told = self._ask(
            context, "QueryBatch", "POST", f"/collections/{request.collection_name}/points/query/batch", body
        )
        return qdrant.QueryBatchResponse(result=[qdrant.BatchResult(result=_scored(answer)) for answer in told])


def listen(standin, port: int) -> tuple[grpc.Server, int]:
    """A server that answers at this port, or at any free one if it is 0, and the port."""
    server = grpc.server(ThreadPoolExecutor(4), options=ANY_SIZE)
    service = _Service(standin)
    qdrant.add_CollectionsServicer_to_server(service, server)
    qdrant.add_PointsServicer_to_server(service, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def _json(model) -> dict:
    return model.model_dump(mode="json", exclude_none=True)


def _scored(answer: dict) -> list[qdrant.ScoredPoint]:
    return [RestToGrpc.convert_scored_point(models.ScoredPoint(**point)) for point in answer["points"]]
