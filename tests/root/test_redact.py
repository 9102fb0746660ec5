"""What is taken out of a text that is shared, however it is written, and what is left alone."""

import html
import json
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from markupsafe import escape
from workbook import paths, redact


@pytest.fixture
def folders(monkeypatch):
    """Folders of a made-up machine."""
    monkeypatch.setattr(paths, "ROOT", Path("/srv/Jo & Co/workbook"))
    monkeypatch.setattr(paths, "DATA", Path("/mnt/disk/kept"))
    monkeypatch.setattr(paths, "FIGURES", Path("/srv/Jo & Co/workbook/figures"))
    monkeypatch.setattr(paths, "REPORTS", Path("/srv/Jo & Co/workbook/reports"))
    monkeypatch.setattr(Path, "home", lambda: Path("/root"))
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.setenv("BEIR_DATA_DIR", "/shared/beir")


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/srv/Jo & Co/workbook/notebooks/x.py", "./notebooks/x.py"),
        ("in /srv/Jo & Co/workbook/figures/a.png.", "in ./figures/a.png."),
        ("/mnt/disk/kept/models", "./data/models"),
        ("/shared/beir/scifact", "beir/scifact"),
        ("/root/.cache and file:///root/x", "~/.cache and file://~/x"),
        ("/tmp/ipykernel_7/1.py:3", "tmp/ipykernel_7/1.py:3"),
        ("/home/ann/x /Users/Bob/y C:\\Users\\carl\\z", "~/x ~/y ~\\z"),
        ("\x1b[0;32m/root/x.py", "\x1b[0;32m~/x.py"),
    ],
)
def test_folders_are_named_from_the_project_as_text_json_and_html(folders, text, shared):
    assert redact.clean(text) == shared
    assert json.loads(redact.clean(json.dumps({"a": f"first\n{text}"})))["a"] == f"first\n{shared}"
    assert html.unescape(redact.clean(f"<p>{html.escape(text)}</p>")) == f"<p>{shared}</p>"


def test_escaped_slashes_and_addresses_are_found_too(folders):
    assert redact.clean(r'"\/mnt\/disk\/kept\/models"') == r'"./data\/models"'
    assert redact.clean("file:///srv/Jo%20%26%20Co/workbook/x") == "file://./x"
    assert redact.clean("?file=%2Fsrv%2FJo%20%26%20Co%2Fworkbook%2Fx") == "?file=.%2Fx"
    assert redact.clean(r'"\u0027/mnt/disk/kept\u0027"') == r'"\u0027./data\u0027"'


def test_folders_in_a_home_are_found_when_they_are_told_from_it(folders, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/srv"))
    assert redact.clean("~/Jo & Co/workbook/notebooks/x.py and /srv/y") == "./notebooks/x.py and ~/y"


def test_an_environment_of_python_elsewhere_is_not_told(folders, monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/opt/clients/acme/venv")
    assert redact.clean("/opt/clients/acme/venv/lib/x.py") == "python/lib/x.py"
    monkeypatch.setattr(sys, "base_prefix", "/opt/clients/acme/venv")
    assert redact.clean("/opt/clients/acme/venv/lib/x.py") == "/opt/clients/acme/venv/lib/x.py", "the system's own"


@pytest.mark.parametrize(
    "text",
    ["/rootfs/x", "https://example.org/root", "https://example.org/home/ann", "/tmpfs", "a/tmp/b", "/homes/x"],
)
def test_what_only_looks_like_one_of_them_is_left(folders, text):
    assert redact.clean(text) == text


def test_a_home_of_the_whole_disk_is_not_everywhere(folders, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert redact.clean("and/or /usr/lib") == "and/or /usr/lib"


@pytest.mark.parametrize("name", ["QDRANT_API_KEY", "HF_TOKEN", "MY_SECRET", "db_password", "DB_PASS", "DB_PWD"])
def test_secrets_of_the_environment_are_taken_out(monkeypatch, name):
    secret = """s3<cr'"t/&\\+ü😀"""
    monkeypatch.setenv(name, secret)
    written = [secret, html.escape(secret), html.escape(secret, quote=False), str(escape(secret)), quote(secret)]
    written += [quote(secret, safe=""), quote(secret, safe="").lower(), json.dumps(secret)[1:-1]]
    written += [json.dumps(text, ensure_ascii=ascii)[1:-1] for text in written for ascii in (True, False)]
    for text in written:
        assert redact.clean(f"key {text}.") == "key ***.", text


@pytest.mark.parametrize(
    ("environment", "text", "shared"),
    [
        ({"QDRANT_API_KEY": "planted-key", "HF_TOKEN": "planted-key-and-more\n"},
         "planted-key, planted-key-and-more", "***, ***"),
        ({"SIGNING_KEY": "--BEGIN KEY--\nMIIEpAIBAAKCAQEA\n--END KEY--"}, r'["MIIEpAIBAAKCAQEA\n"]', r'["***\n"]'),
        ({"QDRANT_API_KEY": "planted\udcffkey"}, "a text", "a text"),
        ({"QDRANT_API_KEY": "short", "KEYBOARD": "qwerty-layout"}, "short, qwerty-layout", "short, qwerty-layout"),
        ({"QDRANT_URL": "https://ann:pl%40nted-pass@host:6333"},
         "auth=('ann', 'pl@nted-pass') pl%40nted-pass", "auth=('ann', '***') ***"),
    ],
    ids=["two that begin alike", "many lines", "bytes that are no text", "too short, or no secret", "in an address"],
)  # fmt: skip
def test_what_is_a_secret_of_the_environment(monkeypatch, environment, text, shared):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert redact.clean(text) == shared


def test_a_login_in_an_address_is_taken_out():
    text = "at https://ann:pass@host:6333/x, not http://host:6333/a@b"
    assert redact.clean(text) == "at https://***@host:6333/x, not http://host:6333/a@b"
    assert redact.clean(r"https:\/\/ghp_token@host and git@host") == r"https:\/\/***@host and git@host"


def test_of_more_places_the_last_part_stays(folders):
    text = 'corpus = "/data/clients/acme/shop.csv", "/data/clients/acme/shop.csv.old"'
    assert redact.clean(text) == text, "a path that is named by nobody is no secret"
    assert redact.clean(text, ["/data/clients/acme/shop.csv"]) == 'corpus = "shop.csv", "shop.csv.old"'


def test_what_lies_beside_a_place_is_not_told_from_the_root(folders):
    assert redact.clean("/data/clients/acme/queries.jsonl:3", ["/data/clients/acme/shop.csv"]) == ".../queries.jsonl:3"


def test_a_place_behind_a_link_is_found_by_both_its_paths(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/elsewhere")
    (tmp_path / "acme").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "acme")
    assert redact.clean(f"{tmp_path}/acme/x {tmp_path}/link/x", [str(tmp_path / "link")]) == "link/x link/x"
