"""A notebook's page: valid, whole without a network, and for those who cannot see it or use a mouse."""

import base64
import io
import re

import html5lib
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from workbook.runs import page

LOOK = (page.FOLDER / "look.css").read_text(encoding="utf-8")
PLACE = page.Place(
    "01_first", "smoke", {"corpus": "sample"}, [], [page.Rows("01_first", "rows/01_first.csv", 1234)],
    after=("02_next.html", "What next?"),
)  # fmt: skip
ABOVE = 4.5  # contrast that WCAG asks for


def png(width=64, height=32, noise=False):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8) if noise else None
    image = Image.fromarray(pixels) if noise else Image.new("RGB", (width, height), "white")
    written = io.BytesIO()
    image.save(written, format="PNG")
    return base64.b64encode(written.getvalue()).decode()


def shown(data, **metadata):
    return new_output("execute_result", data=data, metadata=metadata)


def notebook(*outputs, source="x = 1\nx", tags=()):
    text = new_markdown_cell("# What is <it>?\n\nText with `code`, [a link](02_next.ipynb) and **more**.")
    table = new_markdown_cell("### Deep\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    return new_notebook(
        cells=[text, table, new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})]
    )


def rendered(*outputs, place=PLACE, **facts):
    whole = notebook(*outputs, **facts)
    return page.render(whole, page.title_of(whole), place)


def everything():
    frame = pd.DataFrame({"NDCG@10": ["0.5 [0.4, 0.6]"]}, index=pd.Index(["a"], name="model"))
    styled = frame.style.set_caption("Run x, 1 row").to_html()
    traceback = ["\x1b[38;5;28;01mraise\x1b[0m \x1b[31mx\x1b[0m <x>"]
    return rendered(
        shown({"text/html": frame._repr_html_(), "text/plain": ""}),
        shown({"text/html": f"{styled}<script>x</script>", "text/plain": ""}),
        shown({"image/png": png(), "text/plain": ""}, **{"image/png": {"alt": "A line & a dot"}}),
        shown({"image/png": png(), "text/plain": ""}),
        shown({"text/markdown": "_so_", "text/plain": ""}),
        shown({"text/plain": "<Figure>"}),
        new_output("stream", name="stdout", text="found <b> \x1b[31mred\x1b[0m\n"),
        new_output("stream", name="stderr", text="a warning"),
        new_output("error", ename="ValueError", evalue="no <x>", traceback=traceback),
        place=PLACE._replace(problems=["This notebook failed: ValueError: no <x>."]),
    )


def test_the_page_is_valid_html():
    html5lib.HTMLParser(strict=True).parse(everything())


def test_nothing_is_fetched_from_elsewhere():
    html = everything()
    soup = BeautifulSoup(html, "html.parser")
    assert all(image["src"].startswith("data:image/png;base64,") for image in soup.find_all("img"))
    assert not soup.find_all(["link", "iframe", "object", "embed"])
    assert not soup.find_all("script", src=True)
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]


def test_a_page_has_a_language_a_title_a_way_past_the_head_and_headings_in_order():
    soup = BeautifulSoup(everything(), "html.parser")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text() == "What is ? - run smoke"
    assert [heading.name for heading in soup.find_all(re.compile("^h[1-6]$"))] == ["h1", "h2", "h2"]
    assert soup.select_one("body > a:first-child")["href"] == "#" + soup.main["id"]
    for link in soup.select("a[href^='#']"):
        assert soup.find(id=link["href"][1:]), link
    assert [link.get_text() for link in soup.select("nav.contents a")] == ["Deep"]
    assert [link["href"] for link in soup.select("footer a")] == ["02_next.html"]


def test_pictures_have_words_and_a_size():
    images = BeautifulSoup(everything(), "html.parser").find_all("img")
    assert [image["alt"] for image in images] == ["A line & a dot", "Figure: Deep"]
    assert {(image["width"], image["height"]) for image in images} == {("64", "32")}
    assert [image.parent["tabindex"] for image in images] == ["0", "0"], "wider than a phone, out of a keyboard's reach"


def test_tables_of_outputs_say_where_their_rows_are():
    soup = BeautifulSoup(everything(), "html.parser")
    tables = soup.select("figure.table")
    assert [table.find(role="region")["aria-label"][:7] for table in tables] == ["Table 1", "Table 2", "Table 3"]
    captions = [" ".join(table.figcaption.get_text().split()) if table.figcaption else None for table in tables]
    assert captions == [
        None, None, "Run x, 1 row. Rows of 01_first (1,234), run smoke",
    ], "a table that does not say which rows it shows shows none"  # fmt: skip
    assert tables[2].figcaption.a["href"] == "rows/01_first.csv"
    assert all(heading["scope"] for heading in soup.find_all("th"))


def test_a_notebook_without_rows_says_so():
    table = "<table><caption>Run smoke, 1 row</caption><tr><td>1</td></tr></table>"
    html = rendered(shown({"text/html": table}), place=PLACE._replace(rows=[]))
    assert "01_first published no rows in run smoke" in html


def test_code_is_folded_and_what_was_given_is_named():
    soup = BeautifulSoup(rendered(tags=["injected-parameters"]), "html.parser")
    piece = soup.find("details", class_="code")
    assert piece.summary.get_text() == "Parameters of this run 2 lines"
    assert piece.pre.get_text().strip() == "x = 1\nx"
    assert not piece.has_attr("open")
    assert soup.find("button", id="all-code").has_attr("hidden"), "a button that does nothing without scripts"


def test_warnings_are_folded_and_errors_are_not():
    soup = BeautifulSoup(everything(), "html.parser")
    assert soup.find("details", class_="warning").pre.get_text() == "a warning"
    assert soup.find(id="error").find("p").get_text() == "ValueError: no <x>"
    assert soup.find(id="error").pre.get_text() == "raise x <x>"
    assert not soup.select("[style]"), "colours that are not of the page"
    banner = soup.main.find(class_="banner")
    assert banner.p.get_text() == "This notebook failed: ValueError: no <x>."
    assert banner.a["href"] == "#error"


def test_what_papermill_writes_beside_an_error_is_left_out():
    failed = notebook()
    failed.cells.insert(0, new_markdown_cell("An Exception", metadata={"tags": ["papermill-error-cell-tag"]}))
    assert "An Exception" not in page.render(failed, "t", PLACE)


@pytest.mark.slow
def test_many_heavy_pictures_still_make_a_page_under_three_megabytes():
    heavy = [shown({"image/png": png(800, 600, noise=True), "text/plain": ""}) for _ in range(4)]
    assert sum(len(output.data["image/png"]) for output in heavy) > 3_000_000
    assert len(rendered(*heavy)) < 3_000_000


def test_characters_stand_as_they_are():
    text = "caf\u00e9 \u2013 \u201cso\u201d"
    assert text in rendered(new_output("stream", name="stdout", text=text))


def test_an_empty_notebook_is_a_page_too():
    empty = new_notebook()
    assert (page.title_of(empty), page.thumbnail(empty)) == ("", None)
    html5lib.HTMLParser(strict=True).parse(page.render(empty, "Nothing", PLACE))


def test_the_first_figure_is_the_notebooks_picture():
    first, second = (
        shown({"image/png": png(width)}, **{"image/png": {"alt": alt}}) for width, alt in ((64, "first"), (8, "second"))
    )
    address, alt = page.thumbnail(notebook(first, second))
    small = base64.b64decode(address.partition(",")[2])
    assert alt == "first"
    assert Image.open(io.BytesIO(small)).size == (480, 240)


def colours(scheme):
    """The colours of the look by name; those of dark replace some."""
    light, dark = LOOK.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else {})


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_both_schemes(scheme):
    found = colours(scheme)
    text = set(found) - {"paper", "card", "line", "alarm", "figure"}
    assert {"ink", "quiet", "link", "good", "bad", "comment"} <= text
    for name in text:
        for ground in ("paper", "card"):
            assert contrast(found[name], found[ground]) >= ABOVE, (scheme, name, ground)
    for name in ("ink", "link", "quiet", "bad", "good", "near"):  # what stands in a banner
        assert contrast(found[name], found["alarm"]) >= ABOVE, (scheme, name)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_no_colour_is_written_outside_the_two_schemes():
    rules = LOOK[LOOK.index("* { box-sizing") :]
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) <= {"#ffffff"}, "small pictures, which are turned"


def led(*cells):
    """A page of cells, each a list of outputs and tags."""
    made = [new_code_cell("x", outputs=outputs, metadata={"tags": tags}) for outputs, tags in cells]
    whole = new_notebook(cells=[new_markdown_cell("# What?\n\nHow it was done."), *made])
    return BeautifulSoup(page.render(whole, "What?", PLACE), "html.parser"), whole


def figure_of(alt):
    return shown({"image/png": png(), "text/plain": ""}, **{"image/png": {"alt": alt}})


def test_what_was_found_comes_first_and_where_it_was_run_last():
    soup, whole = led(
        ([figure_of("Not it. A line")], []), ([figure_of("BM25 finds 0.5 of it. A dot")], [page.FINDING])
    )  # fmt: skip
    text = soup.main.get_text(" ", strip=True)
    assert text.startswith("BM25 finds 0.5 of it. How it was done.") and text.endswith("About this run corpus sample")
    assert [image["alt"] for image in soup.find_all("img")] == ["BM25 finds 0.5 of it. A dot", "Not it. A line"]
    assert page.lead(whole).finding == "BM25 finds 0.5 of it."


def test_a_finding_in_words_needs_no_other():
    soup, _ = led(([shown({"text/html": "<p>So it is.</p>"}), figure_of("A title. A dot")], [page.FINDING]))
    assert not soup.select(".headline") and soup.main.get_text(" ", strip=True).startswith("So it is. How it")


def test_a_page_without_a_finding_begins_with_its_text():
    soup, whole = led(([figure_of("A title. A dot")], []))
    assert not soup.select("section.finding") and page.lead(whole) is None


def test_a_picture_that_cannot_be_read_is_left_out():
    html = rendered(shown({"image/png": "bm8gcG5n", "text/plain": "<Figure>"}))
    assert "<img" not in html and "&lt;Figure&gt;" in html
