"""A real browser and a real JupyterLab for the tests, and the screenshots that they leave in reports/screenshots/.

The browser is the system's own; where there is none, the tests that ask for it are skipped and say how to get one.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from workbook import paths

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
SCREENSHOTS = paths.REPORTS / "screenshots"
PATIENCE = 120  # seconds to wait for what should come in a few: CI machines are slow and shared
WIDE, PHONE = (1280, 900), (390, 844)  # pixels of the window
# What the tests need of JupyterLab: every cell in the page, also those far from the window; the theme of the system's
# colour scheme; nothing asked of the network.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/themes": {"adaptive-theme": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

# Contrast as WCAG 2 has it, of all text shown in an element, as [text, ratio]. Colours are opaque; figures are not text
CONTRAST = """(within) => {
  const colour = (text) => text.match(/[\\d.]+/g)
    .map((value, at) => (text.startsWith("color(srgb") && at < 3 ? 255 : 1) * value);
  const luminance = (rgb) => rgb.slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const found = colour(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
  };
  const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
  const ratios = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const both = [colour(getComputedStyle(element).color), behind(element)].map(luminance);
    ratios.push([node.data.trim(), (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)]);
  }
  return ratios;
}"""


class Lab(NamedTuple):
    """A running JupyterLab: its address, its token, and the folder whose notebooks it shows."""

    address: str
    token: str
    folder: Path

    def url(self, notebook: str) -> str:
        """Where a notebook of the folder opens, alone in the window."""
        return f"{self.address}/doc/tree/{notebook}.ipynb?token={self.token}"


def executable() -> str | None:
    """Path of the system's Chromium or Chrome, None if there is none; $WORKBOOK_CHROMIUM comes first."""
    own = os.environ.get("WORKBOOK_CHROMIUM")
    return next((found for name in [own, *BROWSERS] if name and (found := shutil.which(name))), None)


def shoot(page: Page, name: str, whole: bool = False) -> None:
    """Keep a picture of the window, or of the whole page, in reports/screenshots/."""
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", full_page=whole)


# module by module: Playwright keeps an event loop running, which the tests that run notebooks cannot have around them
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, without a window of its own and without any way to the network but to this machine."""
    found = executable()
    if not found:
        pytest.skip("no browser: install the package chromium, or set WORKBOOK_CHROMIUM to a Chromium or Chrome")
    nowhere = ["--proxy-server=127.0.0.1:9", "--proxy-bypass-list=127.0.0.1", "--disable-quic"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=nowhere, timeout=PATIENCE * 1_000)
        expect.set_options(timeout=PATIENCE * 1_000)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium) -> Iterator[Page]:
    """An empty page of a fresh profile. It keeps lists: `errors` of its uncaught exceptions, `complaints` of what its
    console calls an error, `requests` of the addresses of all it asks for."""
    context = chromium.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    context.set_default_timeout(PATIENCE * 1_000)
    page = context.new_page()
    page.errors, page.complaints, page.requests = [], [], []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    context.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    """JupyterLab on an empty folder, with settings, data, figures and reports of its own. It ends with the module."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "notebooks"
    folder.mkdir()
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    own |= {f"JUPYTER_{name.upper()}_DIR": name for name in ("config", "data", "runtime")}
    own |= {f"WORKBOOK_{name.upper()}": name for name in ("data", "figures", "reports")}
    environment = os.environ | {name: str(home / value) for name, value in own.items()}
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={_free_port()}",
        f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--LabApp.extension_manager=readonly",
        # should the tests be killed: it then ends by itself
        "--MappingKernelManager.cull_idle_timeout=300", "--MappingKernelManager.cull_interval=60",
        "--MappingKernelManager.cull_connected=True", "--ServerApp.shutdown_no_activity_timeout=300",
    ]  # fmt: skip
    log = home / "lab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment | {"PYTHONPATH": str(paths.NOTEBOOKS)},
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield Lab(_address(server, home / "runtime", log), token, folder)
    finally:
        _end(server)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Wait for the server to listen, and read where: it takes the next port if another process was quicker."""
    told = runtime / f"jpserver-{server.pid}.json"
    latest = time.monotonic() + PATIENCE
    while time.monotonic() < latest and server.poll() is None:
        if told.is_file() and (facts := told.read_text(encoding="utf-8").strip()).endswith("}"):
            port = json.loads(facts)["port"]
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2_000:]}")


def _end(server: subprocess.Popen) -> None:
    """End the server, asked first so that it ends its kernels, which are process groups of their own."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
