"""`make audit` asks about every installed package; its exit code and its one line tell what it learned."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distributions

import pytest
from workbook import paths

pytest.importorskip("pip_audit", reason="a tool of tests/tools.txt")


@pytest.fixture
def osv():
    """A vulnerability server: `asked` lists (package, version), `known` what to answer, `status` with which code."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((query["package"]["name"], query["version"]))
            vulnerabilities = server.known.get(query["package"]["name"])
            body = json.dumps({"vulns": vulnerabilities} if vulnerabilities else {}).encode()
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.known, server.status = [], {}, 200
    server.url = f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def audit(url, monkeypatch):
    monkeypatch.setenv("OSV_URL", url)
    return subprocess.run([sys.executable, paths.ROOT / "tests" / "audit.py"], capture_output=True, text=True)


def test_every_installed_package_is_asked_about_but_pip(osv, monkeypatch):
    finished = audit(osv.url, monkeypatch)
    installed = {(found.name.lower().replace("_", "-").replace(".", "-"), found.version.split("+")[0])
                 for found in distributions() if found.name != "pip"}  # fmt: skip
    assert set(osv.asked) == installed and len(installed) > 100
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == f"{len(installed)} packages: No known vulnerabilities found\n"


def test_a_vulnerability_is_named_and_the_exit_code_is_1(osv, monkeypatch):
    osv.known["jinja2"] = [{"id": "PLANTED-1", "affected": [{
        "package": {"name": "jinja2", "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
    }]}]  # fmt: skip
    finished = audit(osv.url, monkeypatch)
    assert finished.returncode == 1 and "Found 1 known vulnerability in 1 package" in finished.stdout
    row = next(line for line in finished.stdout.splitlines() if "PLANTED-1" in line)
    assert row.startswith("jinja2 ") and row.split()[-1] == "99.1"


@pytest.mark.parametrize("status", [None, 500])
def test_a_server_that_does_not_answer_is_one_line_and_not_a_clean_bill(osv, monkeypatch, status):
    osv.status = status
    finished = audit(osv.url if status else "http://127.0.0.1:9/", monkeypatch)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.count("\n") == 1 and "their vulnerabilities are unknown: run this where" in finished.stderr
