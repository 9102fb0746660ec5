"""What is taken out of a text that is shared, however it is written, and what is left alone."""

import html
import json
import tempfile
from pathlib import Path

import pytest
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


@pytest.mark.parametrize(
    "text",
    ["/rootfs/x", "https://example.org/root", "https://example.org/home/ann", "/tmpfs", "a/tmp/b", "/homes/x"],
)
def test_what_only_looks_like_one_of_them_is_left(folders, text):
    assert redact.clean(text) == text


def test_a_home_of_the_whole_disk_is_not_everywhere(folders, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert redact.clean("and/or /usr/lib") == "and/or /usr/lib"


@pytest.mark.parametrize("name", ["QDRANT_API_KEY", "HF_TOKEN", "MY_SECRET", "db_password"])
def test_secrets_of_the_environment_are_taken_out(monkeypatch, name):
    secret = 's3<cr"t&'
    monkeypatch.setenv(name, secret)
    for text in (secret, html.escape(secret), json.dumps(secret)[1:-1]):
        assert redact.clean(f"key {text}.") == "key ***."


def test_a_short_value_or_another_variable_is_no_secret(monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "short")
    monkeypatch.setenv("KEYBOARD", "qwerty-layout")
    assert redact.clean("a short word, qwerty-layout") == "a short word, qwerty-layout"


def test_a_login_in_an_address_is_taken_out():
    text = "at https://ann:pass@host:6333/x, not http://host:6333/a@b"
    assert redact.clean(text) == "at https://***@host:6333/x, not http://host:6333/a@b"


def test_of_more_places_the_last_part_stays(folders):
    text = 'corpus = "/data/clients/acme/shop.csv", "/data/clients/acme/shop.csv.old"'
    assert redact.clean(text) == text, "a path that is named by nobody is no secret"
    assert redact.clean(text, ["/data/clients/acme/shop.csv"]) == 'corpus = "shop.csv", "shop.csv.old"'
