"""What is left of a notebook's HTML on a page: no script, style or address, tables with scopes, headings in order."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from workbook.runs import markup


def tables_of(html):
    soup = markup.plain(html)
    markup.tables(soup, lambda own: own or "no caption")
    return soup


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('<p onclick="x()" style="color:red" id="a">text</p>', "<p>text</p>"),
        ("<script>alert(1)</script><style>td {}</style><!-- x -->", ""),
        ('<iframe src="https://x.org"></iframe><link rel="stylesheet" href="https://x.org">', ""),
        ('<img src="https://x.org/a.png" alt="a cat">', "a cat"),
        ('<img alt="" src="data:image/png;base64,AA">', '<img alt="" src="data:image/png;base64,AA"/>'),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://x.org/a">x</a>', '<a href="https://x.org/a">x</a>'),
        ('<a href="02_encoding_speed.html#now">x</a>', '<a href="02_encoding_speed.html#now">x</a>'),
        ("<center><b>x</b></center>", "<b>x</b>"),
        ('<span class="ansi-red-fg other">x</span>', '<span class="ansi-red-fg">x</span>'),
        ("<svg><script>x</script><text>t</text></svg>after", "after"),
    ],
)
def test_only_what_a_page_needs_is_left(html, left):
    assert str(markup.plain(html)) == left


@pytest.mark.parametrize("styled", [False, True])
def test_a_table_of_pandas_gets_one_header_row_scopes_and_a_region(styled):
    index = pd.MultiIndex.from_tuples([("a", 64), ("a", 32), ("b", 64)], names=["model", "dimension"])
    frame = pd.DataFrame({"NDCG@10": ["0.5 [0.4, 0.6]", "1,234", "-"], "note": ["x" * 50, "", "y" * 200]}, index=index)
    soup = tables_of(
        "<h2>Quality¶</h2>" + (frame.style.set_caption("which").to_html() if styled else frame._repr_html_())
    )
    (header,) = soup.select("thead tr")
    assert [(cell.name, cell.get("scope"), cell.get_text()) for cell in header.find_all(True)] == [
        ("th", "col", "model"), ("th", "col", "dimension"), ("th", "col", "NDCG@10"), ("th", "col", "note"),
    ]  # fmt: skip
    first = soup.select("tbody tr")[0].find_all(["th", "td"])
    assert [(cell.get("scope"), cell.get("rowspan"), cell.get("class")) for cell in first] == [
        ("row", "2", None), ("row", None, "number"), (None, None, "number"), (None, None, "long"),
    ]  # fmt: skip
    assert soup.select("tbody tr")[-1].find_all("td")[-1]["class"] == (
        "text" if styled else "long"
    )  # pandas itself cuts it
    region = soup.find(role="region")
    assert (region["tabindex"], region["aria-label"]) == ("0", "Table 1: Quality")
    assert soup.find("figcaption").get_text() == ("which" if styled else "no caption")
    assert not soup.select("style, caption, [border], [style], [valign]")


def test_headers_that_both_say_something_are_left_as_they_are():
    frame = pd.DataFrame({("one", "a"): [1], ("one", "b"): [2]})
    rows = tables_of(frame._repr_html_()).select("thead tr")
    assert [[cell.get_text() for cell in row.find_all("th")] for row in rows] == [["one"], ["a", "b"]]
    assert rows[0].find("th")["scope"] == "col"


def test_a_head_that_says_nothing_is_left_out():
    soup = tables_of(pd.DataFrame({"": ["smoke"]}, index=["run"])._repr_html_())
    assert not soup.find("thead")
    assert soup.find("th")["scope"] == "row"


def test_an_empty_frame_is_no_table():
    assert not tables_of(pd.DataFrame().style.to_html()).find(["table", "figure"])


def test_headings_follow_in_order_with_names_of_their_own():
    soup = BeautifulSoup(
        "<h1>Why?</h1><h2>A & b</h2><h5>deep</h5><h1>A & b</h1><h3>Content</h3><h2></h2>", "html.parser"
    )
    assert markup.headings(soup, "Why?") == [
        (2, "a-b", "A & b"), (3, "deep", "deep"), (2, "a-b-2", "A & b"), (3, "content-2", "Content"),
    ]  # fmt: skip
    assert [tag.name for tag in soup.find_all(markup.HEADINGS)] == ["h2", "h3", "h2", "h3"]


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [(10, 6, ""), (11, 6, "All 11 rows"), (3, 7, "All 7 columns"), (12, 8, "All 12 rows and 8 columns")],
)
def test_rows_beyond_ten_and_columns_beyond_six_wait_behind_a_box(rows, columns, said):
    frame = pd.DataFrame([[str(n)] * (columns - 1) for n in range(rows)])
    soup = BeautifulSoup(frame.to_html(), "html.parser")
    markup.tables(soup, lambda own: "")
    labels = [label.get_text() for label in soup.find_all("label")]
    assert labels == [said] * bool(said)
    figure = soup.find("figure")
    assert ("many-rows" in figure["class"], "many-columns" in figure["class"]) == (rows > 10, columns > 6)
    assert all(soup.find(id=label["for"])["type"] == "checkbox" for label in soup.find_all("label"))
    assert len(soup.select("tbody tr")) == rows, "all of it is there"
