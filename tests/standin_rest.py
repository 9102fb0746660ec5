"""The stand-in's REST, over real HTTP."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class _Handler(BaseHTTPRequestHandler):
    def _handle(self) -> None:
        standin = self.server.standin
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        path = unquote(self.path.partition("?")[0])
        if not path.startswith(standin.prefix):
            return self._send(404, b"not found", {})
        path = path.removeprefix(standin.prefix) or "/"
        answered = standin.receive(self.command, path, body, self.headers.get("api-key"))
        if answered is None:
            self.close_connection = True
            return None
        status, result, headers = answered
        answer = {"time": 0.0, "status": "ok", "result": result}
        if status != 200:
            answer = {"time": 0.0, "status": {"error": result}}
        elif path == "/":
            answer = result
        return self._send(status, (standin.page or json.dumps(answer)).encode(), headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except BrokenPipeError:
            pass  # a slow answer to a client that has gone

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_: object) -> None:
        pass


def listen(standin, port: int) -> tuple[ThreadingHTTPServer, int]:
    """A server that answers at this port, or at any free one if it is 0, and the port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.standin = standin
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, server.server_address[1]
