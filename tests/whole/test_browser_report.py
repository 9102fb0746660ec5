"""The HTML report in a real browser, opened from disk without a network: on a screen and a phone, in light and dark."""

import shutil
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import CONTRAST, PHONE, WIDE, shoot
from smoke import folders
from workbook import __main__
from workbook.names import ACROSS
from workbook.runs import plan

pytestmark = pytest.mark.slow
NOTEBOOKS = [name for name in plan.read(plan.PLAN)["profiles"]["smoke"]["notebooks"] if name != ACROSS]
PAGES = ["index", *NOTEBOOKS]


@pytest.fixture(scope="module")
def report(smoke_run, tmp_path_factory):
    """Folder of the smoke run's report, built by its command from a copy: other tests look at what the run left."""
    folder = tmp_path_factory.mktemp("report")
    for kept in ("reports", "data/results"):
        shutil.copytree(smoke_run[1] / kept, folder / kept)
    with folders(folder):
        assert __main__.main(["report", "--profile", "smoke"]) == 0
    return folder / "reports" / "smoke"


@pytest.fixture
def opened(report, page):
    """Open a page of the report without a network. What went wrong meanwhile is told at the end."""
    page.context.set_offline(True)

    def open_page(name):
        page.goto((report / f"{name}.html").as_uri())
        return page

    yield open_page
    assert (page.errors, page.complaints) == ([], [])
    assert [address for address in page.requests if not address.startswith(("data:", report.as_uri()))] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_can_be_read_by_anyone(opened, name):
    page = opened(name)
    assert [address for address in page.requests if not address.startswith("data:")] == [page.url]
    levels = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
        "all => all.map(heading => Number(heading.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels)), levels
    images = page.locator("img").evaluate_all("all => all.map(image => [image.alt.length, image.naturalWidth])")
    assert images
    assert all(alt > 10 and width > 0 for alt, width in images)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_screen_and_a_phone_in_light_and_dark(opened, name, scheme):
    page = opened(name)
    page.emulate_media(color_scheme=scheme)
    weak = [(text, round(ratio, 2)) for text, ratio in page.evaluate(CONTRAST, "body") if ratio < 4.5]
    assert weak == []
    for width, height in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shoot(page, f"report-{name}-{scheme}-{width}", whole=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_against_a_page(report, chromium, name, scheme):
    """The rules of WCAG and good practice that axe-core knows; its script is let past the page's own policy."""
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto((report / f"{name}.html").as_uri())
    found = Axe().run(page).response["violations"]
    context.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_the_schemes_differ(opened):
    page = opened("index")
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] == "rgb(255, 255, 255)" != grounds[1]


def test_index_and_pages_lead_to_each_other(opened, report):
    page = opened("index")
    for name in NOTEBOOKS:
        page.locator(f".cards a[href='{name}.html']").click()
        assert page.url == (report / f"{name}.html").as_uri()
        page.get_by_role("navigation", name="Report").get_by_role("link").click()
        assert page.url == (report / "index.html").as_uri()


def test_a_keyboard_reaches_the_content_the_code_and_wide_tables(opened):
    page = opened("01_static_vs_transformer")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    code = page.locator("details.code")
    assert not code.first.evaluate("details => details.open")
    for _ in range(20):  # what was found comes first: figures and tables that scroll, and boxes
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details.code > summary')"):
            break
    page.keyboard.press("Enter")
    assert code.first.evaluate("details => details.open")
    page.get_by_role("button", name="Show all code").press("Enter")
    assert code.evaluate_all("all => all.every(details => details.open)")
    page.get_by_role("button", name="Hide all code").press("Enter")
    assert not code.evaluate_all("all => all.some(details => details.open)")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    wide = page.locator(".scroll").evaluate_all(
        "all => all.filter(each => each.scrollWidth > each.clientWidth)"
        ".map(each => [each.tabIndex, each.getAttribute('aria-label')])"
    )
    assert wide
    assert all(index == 0 and label for index, label in wide)
