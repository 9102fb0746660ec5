"""Clean the HTML of a notebook's texts and outputs for a page that is read offline, with or without seeing it.

Only plain elements and attributes stay: no script, no style, nothing fetched from elsewhere. Tables get scopes, a place
of their own to scroll in, and a line that says where their rows are; headings get names and follow in order.
"""

import re
from collections.abc import Callable
from itertools import count

from bs4 import BeautifulSoup, Comment, Tag
from bs4.dammit import EntitySubstitution
from bs4.formatter import HTMLFormatter

KEPT = re.compile(
    "^(a|abbr|b|blockquote|br|caption|code|d[dlt]|del|div|em|figcaption|figure|h[1-6r]|i|img|kbd|li|mark|ol|p|pre|q|s|small|"
    "span|strong|su[bp]|table|tbody|td|tfoot|th|thead|tr|u|ul|var)$"
)
WITH_CONTENT = re.compile(
    "^(applet|audio|button|canvas|form|i?frame|math|noscript|object|script|select|style|svg|template|textarea|title|video)$"
)
SPANS = {"colspan", "rowspan"}
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt"}, "ol": {"start"}, "td": SPANS, "th": SPANS}
COLOURED = re.compile(r"highlight|ansi-[\w-]+|[a-z]{1,2}[a-z\d]?")  # classes of code and of a terminal's colours
HEADINGS = re.compile(r"^h[1-6]$")
LINKS = re.compile(r"(https?://|mailto:|#|[\w./-]+(#|$))")
ROWS, COLUMNS = 10, 6  # of a table that are shown at first
LONG, TEXT = 30, 120  # characters of a cell, from which it may break and is given room, and more of it
NUMBER = re.compile(r"^[-+\u2212]?[\d.,]+(e[-+]?\d+)?%?(\s*\[.*\])?$")

# Characters as they are, not as names: redact is to find them. HTML's void elements have no slash
WRITTEN = HTMLFormatter(EntitySubstitution.substitute_xml, void_element_close_prefix=None)


def plain(markup: str) -> BeautifulSoup:
    """Parse HTML and leave only what a page needs of it. Images stay if they are inside, as `data:`."""
    soup = BeautifulSoup(markup, "html.parser")
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for tag in soup.find_all(WITH_CONTENT):
        tag.decompose()
    for tag in soup.find_all(True):
        if not KEPT.match(tag.name):
            tag.unwrap()
            continue
        classes = [name for name in tag.get("class", []) if COLOURED.fullmatch(name)]
        tag.attrs = {name: value for name, value in tag.attrs.items() if name in ATTRIBUTES.get(tag.name, ())}
        if classes:
            tag["class"] = classes
        if tag.name == "a" and not LINKS.match(tag.get("href", "")):
            tag.unwrap()
        if tag.name == "img" and not tag.get("src", "").startswith("data:image/png;"):
            tag.replace_with(tag.get("alt", ""))
    return soup


def tables(soup: BeautifulSoup, caption: Callable[[str], str]) -> None:
    """Make each table a figure: the table in a region that scrolls, a caption below.

    `caption` is given the table's own caption as HTML, empty if it has none, and gives the HTML of the one below.
    """
    for number, table in enumerate(soup.find_all("table"), start=1):
        if not table.find(["td", "th"]):
            table.decompose()  # pandas writes an empty frame as a table without a cell
            continue
        own = table.find("caption")
        below = caption(own.extract().decode_contents().strip() if own else "")
        _merge_header(table)
        for cell in table.find_all(["td", "th"]):
            _set_cell(cell)
        for part in table.find_all(["thead", "tbody", "tfoot"]):
            if not part.get_text(strip=True):
                part.decompose()
        label = f"Table {number}: {heading_above(table)}".removesuffix(": ")
        figure = table.wrap(soup.new_tag("figure", attrs={"class": "table"}))
        _fold(soup, figure, table, number)
        region = table.wrap(soup.new_tag("div"))
        scrolled(region, "region", label)
        if below:
            region.insert_after(BeautifulSoup(f"<figcaption>{below}</figcaption>", "html.parser"))
    for holder in soup.find_all("div"):  # what pandas puts around a table
        if not holder.attrs and holder.find("figure"):
            holder.unwrap()


def scrolled(tag: Tag, role: str, label: str) -> None:
    """Make a tag that may be wider than the screen reachable by keyboard, with a role and a name."""
    tag.attrs = {"class": "scroll", "role": role, "tabindex": "0", "aria-label": label}


def headings(soup: BeautifulSoup, main: str) -> list[tuple[int, str, str]]:
    """Name the headings and put them in order, none above level 2 and none skipping one, as `main` is the page's own.

    Returns level, name and text of each. The first heading that says `main` is taken out.
    """
    taken, found, above = {"content", "contents"}, [], 1
    for heading in soup.find_all(HEADINGS):
        for mark in heading.select("a[href^='#']"):  # nbconvert's pilcrow
            mark.decompose()
        text = " ".join(heading.get_text().split())
        if not text or (text == main and heading.name == "h1"):
            heading.decompose()
            continue
        level = max(2, min(int(heading.name[1]), above + 1))
        heading.name, above = f"h{level}", level
        plain_name = re.sub(r"\W+", "-", text.lower()).strip("-") or "part"
        names = (f"{plain_name}-{number}" if number > 1 else plain_name for number in count(1))
        heading["id"] = next(name for name in names if name not in taken)
        taken.add(heading["id"])
        found.append((level, heading["id"], text))
    return found


def heading_above(tag: Tag) -> str:
    """Text of the nearest heading before a tag, without nbconvert's pilcrow; empty if there is none."""
    heading = tag.find_previous(HEADINGS)
    return " ".join(heading.get_text().rstrip("¶").split()) if heading else ""


def _fold(soup: BeautifulSoup, figure: Tag, table: Tag, number: int) -> None:
    """Let a box show the rows and columns of a table beyond ROWS and COLUMNS, which are hidden without it."""
    rows = len(table.select("tbody > tr"))
    columns = max((len(row.find_all(["td", "th"], recursive=False)) for row in table.select("tr")), default=0)
    spans = table.select("[colspan], [rowspan]")
    more = [f"{rows} rows"] * (rows > ROWS) + [f"{columns} columns"] * (columns > COLUMNS and not spans)
    if not more:
        return
    classes = {"rows": "many-rows", "columns": "many-columns"}
    figure["class"] = ["table", *(classes[each.split()[1]] for each in more)]
    name = f"all-{number}"
    box = soup.new_tag("input", attrs={"type": "checkbox", "id": name})
    label = soup.new_tag("label", attrs={"for": name})
    label.string = f"All {' and '.join(more)}"
    figure.insert(0, label)
    figure.insert(0, box)


def _set_cell(cell: Tag) -> None:
    text = cell.get_text().replace("\xa0", " ").strip()
    for name in ("colspan", "rowspan"):
        if cell.get(name) == "1":
            del cell[name]
    if not text and not cell.find("img"):
        cell.clear()
    if cell.name == "th" and not text:
        cell.name = "td"  # a heading must head something
    elif cell.name == "th":
        cell["scope"] = "col" if cell.find_parent("thead") else "row"
    if NUMBER.match(text):
        cell["class"] = "number"
    elif len(text) > LONG:
        cell["class"] = "long" if len(text) <= TEXT else "text"


def _merge_header(table: Tag) -> None:
    """Make one row of the two that pandas writes: names of columns, and below, where those are blank, of the index."""
    rows = table.select("thead > tr")
    if len(rows) < 2:
        return
    upper, lower = (row.find_all(["td", "th"], recursive=False) for row in rows[-2:])
    texts = [[cell.get_text().replace("\xa0", " ").strip() for cell in row] for row in (upper, lower)]
    spans = any(int(cell.get(name, 1)) > 1 for cell in [*upper, *lower] for name in ("colspan", "rowspan"))
    if spans or len(upper) != len(lower) or any(one and other for one, other in zip(*texts, strict=True)):
        return
    for above, below, text in zip(upper, lower, texts[0], strict=True):
        if not text:
            above.replace_with(below)
    rows[-1].decompose()
