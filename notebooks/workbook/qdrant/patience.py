"""Calls of a Qdrant server, by REST or gRPC, are tried again for a while; then one line says what the server did.

The API key is only ever read from the environment, and is in no message.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import httpx
from grpc import StatusCode
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from workbook.errors import WorkbookError

TIMEOUT = 60  # seconds for the answer to one request; whole ones
RETRIES = 6  # of a request that got no answer, or one that may change: a minute, in which a node is started again
FIRST_RETRIES = 3  # of a server that has not answered yet: its address may be wrong
PAUSE = 1.0  # seconds before the first retry; twice as many before each further one
ERRORS = (ApiException, QdrantException, grpc.RpcError)
SILENT = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED)
CHANGING = (
    *SILENT, StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.ABORTED, StatusCode.CANCELLED,
    StatusCode.RESOURCE_EXHAUSTED,
)  # fmt: skip
NO_KEY = (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)
UNREACHED = "failed to connect to all addresses"  # how gRPC says that nobody listens, followed by the address
NO_QDRANT = (
    "no Qdrant answers at QDRANT_URL, or one too old: "
    "give the address of its REST interface, such as http://localhost:6333 or, behind a proxy, https://host:443/path"
)
IS_IT_RUNNING = "is it running, and up to this? see its log"
IS_IT_THERE = "is it running, and is that the address of its REST interface, with the right port, and http or https?"
HELP = ". Help: "  # how a strict mode ends what it says, with what the one who asks could do
STRICT = (
    ": its strict mode does: change strict_mode_config of the collection, or storage.collection.strict_mode in the "
    "server's configuration"
)


def patiently(call: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """Call; after no answer, a timeout, 429 or 5xx call again, RETRIES times with growing pauses.

    For calls that may be made twice. Raises WorkbookError that says what the server did, at once if a retry would
    change nothing.
    """
    return tried(RETRIES, partial(call, *args, **kwargs))


def tried(retries: int, call: Callable[[], Any], advice: str = IS_IT_RUNNING) -> Any:
    """Call, and call again so often; see `patiently`. `advice`: what to do if all of it is in vain."""
    for attempt in range(retries + 1):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Batch upload failed due to rate limit")  # it waits as long as told
                return call()
        except ERRORS as error:
            trouble = _trouble(error)
            pause = getattr(error, "retry_after_s", PAUSE * 2**attempt)
        if attempt < retries:
            time.sleep(min(pause, TIMEOUT))
    raise WorkbookError(f"Qdrant at QDRANT_URL {trouble}, {retries + 1} times: {advice}")


def key() -> str | None:
    """The key of the server, if it asks for one."""
    return os.environ.get("QDRANT_API_KEY") or None


def one_line(text: object) -> str:
    """One line without the key, should a server or a proxy repeat it."""
    line = " ".join(str(text).split())
    return line.replace(key(), "***") if key() else line


def _trouble(error: Exception) -> str:
    """What the server did, if it may do better next time; raises WorkbookError if it will not."""
    if isinstance(error, QdrantException):
        return "answers 429 (too many requests)"
    if isinstance(error, grpc.RpcError):
        return _trouble_by_grpc(error)
    if isinstance(error, ResponseHandlingException) and isinstance(error.source, httpx.TransportError):
        return f"does not answer ({type(error.source).__name__})"
    if not isinstance(error, UnexpectedResponse):
        raise error
    status, said = error.status_code, _said(error)
    if status == 429 or status >= 500:
        return f"answers {status} ({said or error.reason_phrase})"
    if status in (401, 403):
        raise _refusal(f"{status}: {said or error.reason_phrase}") from None
    if said is None:
        raise WorkbookError(f"{NO_QDRANT} (it answers {status})") from None
    raise WorkbookError(f"Qdrant at QDRANT_URL refuses this ({status}: {said}){_strict(said)}") from None


def _trouble_by_grpc(error: grpc.RpcError) -> str:
    code, said = error.code(), one_line(error.details())
    if code in SILENT:
        return f"does not answer ({code.name}{'' if UNREACHED in said else f': {said}'})"
    if code in CHANGING:
        return f"answers {code.name} ({said})"
    if code in NO_KEY:
        raise _refusal(f"{code.name}: {said}") from None
    doubt = ": is QDRANT_GRPC_PORT a port of the same server?" if code == StatusCode.NOT_FOUND else _strict(said)
    raise WorkbookError(f"Qdrant at QDRANT_URL, by gRPC, refuses this ({code.name}: {said}){doubt}") from None


def _strict(said: str) -> str:
    return STRICT if HELP in said else ""


def _refusal(told: str) -> WorkbookError:
    advice = "refuses the key in QDRANT_API_KEY" if key() else "asks for a key: set QDRANT_API_KEY"
    return WorkbookError(f"Qdrant at QDRANT_URL {advice} ({told})")


def _said(error: UnexpectedResponse) -> str | None:
    """What the server says is wrong, in one line; None if it does not say it as Qdrant does."""
    try:
        return one_line(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return None
