"""One executed notebook -> one HTML file that holds all it needs: the text, the outputs, the code folded away.

It opens from disk without a network (its own policy lets the browser fetch nothing), in light and in dark, on a phone,
with a keyboard and a screen reader. The templates and the look are in pages/.
"""

import base64
import html
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html
from nbformat import NotebookNode
from PIL import Image

from workbook.runs import markup

FOLDER = Path(__file__).parent / "pages"
HEAVY = 2_000_000  # bytes of all images together, from which they are written with fewer colours
SMALL = 480  # pixels: the width of a picture on the index
FINDING = "finding"  # a cell whose outputs lead the page
PARAMETERS = {"parameters": "Parameters, as committed", "injected-parameters": "Parameters of this run"}
ERROR_NOTES = {"papermill-error-cell-tag"}  # cells that papermill writes beside an error; the page has its own words


class Rows(NamedTuple):
    """Where the rows behind a page's tables are: the notebook that published them, a file beside the page, how many."""

    notebook: str
    file: str
    count: int


class Place(NamedTuple):
    """What a page says around its notebook.

    `facts`: names and values at its end; `problems`: sentences for a banner; `before` and `after`: file and title of
    the pages on either side.
    """

    notebook: str
    run: str
    facts: Mapping[str, str]
    problems: list[str]
    rows: list[Rows]
    before: tuple[str, str] | None = None
    after: tuple[str, str] | None = None


class Picture(NamedTuple):
    """A figure of a notebook: its PNG and what it shows, in words, the finding first."""

    png: bytes
    alt: str

    @property
    def finding(self) -> str:
        """The first sentence of what it shows; empty if nothing is said."""
        first = self.alt.partition(". ")[0].strip(". ")
        return f"{first}." if first else ""

    @property
    def address(self) -> str:
        """The picture itself as an address."""
        return _address(self.png)


def render(notebook: NotebookNode, title: str, place: Place) -> str:
    """The page of a notebook as HTML. Its first heading, `title`, is the page's; what was found comes first."""
    cells = [cell for cell in notebook.cells if not ERROR_NOTES & set(cell.metadata.get("tags", []))]
    drawn = [_picture(output) for cell in cells for output in cell.get("outputs", [])]
    heavy = sum(len(picture.png) for picture in drawn if picture) > HEAVY
    found = [output for cell in cells if _leads(cell) for output in cell.outputs]
    lead = [part for output in found for part in _output(output, heavy)]
    says = found and "text/html" in found[0].get("data", {}) and "<table" not in found[0].data["text/html"]
    finding = "" if says else next((picture.finding for output in found if (picture := _picture(output))), "")
    parts = [part for cell in cells for part in _parts(cell, heavy)]
    body = template("body.html.j2").render(finding=finding, lead=lead, parts=parts)
    soup = BeautifulSoup(body, "html.parser")
    for number, image in enumerate(soup.find_all("img"), start=1):
        _set_image(image)
        if image.find_parent("figure"):
            markup.scrolled(image.parent, "group", f"Figure {number}")
    caption = template("caption.html.j2")
    markup.tables(soup, lambda own: caption.render(own=own, place=place) if own else "")
    contents = markup.headings(soup, title)
    return template("page.html.j2").render(
        title=title,
        place=place,
        contents=contents,
        body=soup.decode(formatter=markup.WRITTEN),
        failed=soup.find(id="error"),
    )


def template(name: str) -> Any:
    """A template of pages/, which escapes what it is given unless told otherwise."""
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template(name)


def title_of(notebook: NotebookNode) -> str:
    """The notebook's first heading, or nothing."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = markup.plain(markdown2html(cell.source)).find("h1")
            if heading:
                return " ".join(heading.get_text().rstrip("¶").split())
    return ""


def lead(notebook: NotebookNode) -> Picture | None:
    """The figure that leads the notebook's page; None without one that can be read."""
    found = (_picture(output) for cell in notebook.cells if _leads(cell) for output in cell.outputs)
    return next(filter(None, found), None)


def thumbnail(notebook: NotebookNode) -> tuple[str, str] | None:
    """A small copy of the notebook's first figure that can be read, as an address that holds it, and what it shows."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    picture = next(filter(None, map(_picture, outputs)), None)
    return picture and (_address(_lighter(picture.png, SMALL)), picture.alt or f"Figure: {title_of(notebook)}")


def _parts(cell: NotebookNode, heavy: bool) -> Iterator[dict[str, Any]]:
    """What a cell becomes: kinds and contents for body.html.j2."""
    if cell.cell_type == "markdown":
        yield {"kind": "text", "html": str(markup.plain(markdown2html(cell.source)))}
    if cell.cell_type != "code":
        return
    if cell.source.strip():
        label = next((PARAMETERS[tag] for tag in cell.metadata.get("tags", []) if tag in PARAMETERS), "Code")
        code = Highlight2HTML(pygments_lexer="ipython3")(cell.source)
        yield {"kind": "code", "label": label, "lines": cell.source.strip().count("\n") + 1, "html": code}
    for output in [] if _leads(cell) else cell.outputs:
        yield from _output(output, heavy)


def _leads(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and FINDING in cell.metadata.get("tags", [])


def _output(output: NotebookNode, heavy: bool) -> Iterator[dict[str, Any]]:
    if output.output_type == "stream":
        kind = "warning" if output.name == "stderr" else "printed"
        yield {"kind": kind, "html": _terminal(output.text.strip("\n"))}
    elif output.output_type == "error":
        traceback = _terminal("\n".join(output.traceback))
        yield {"kind": "error", "name": output.ename, "message": output.evalue, "html": traceback}
    elif "text/html" in output.data:
        yield {"kind": "html", "html": str(markup.plain(output.data["text/html"]))}
    elif picture := _picture(output):
        address = _address(_lighter(picture.png) if heavy else picture.png)
        yield {"kind": "image", "address": address, "alt": picture.alt}
    elif "text/markdown" in output.data:
        yield {"kind": "html", "html": str(markup.plain(markdown2html(output.data["text/markdown"])))}
    elif "text/plain" in output.data:
        yield {"kind": "printed", "html": html.escape(output.data["text/plain"])}


def _terminal(text: str) -> str:
    """Text of a terminal as HTML, in the page's own colours: of any others nobody knows whether they can be read."""
    return str(markup.plain(ansi2html(text)))


def _picture(output: NotebookNode) -> Picture | None:
    """The PNG of an output, if it has one and it can be read."""
    try:
        png = base64.b64decode(output.get("data", {})["image/png"])
        Image.open(io.BytesIO(png)).verify()
    except (KeyError, ValueError, OSError, SyntaxError):  # Pillow's own of a broken PNG
        return None
    return Picture(png, output.metadata.get("image/png", {}).get("alt", ""))


def _set_image(image: Any) -> None:
    """Give an image its size, so that nothing jumps, and words, those of the heading above if it has none."""
    image["alt"] = image.get("alt") or f"Figure: {markup.heading_above(image)}"
    with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as opened:
        image["width"], image["height"] = str(opened.width), str(opened.height)


def _lighter(png: bytes, width: int = 0) -> bytes:
    """The picture in 256 colours, and so many pixels wide if a width is given."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
        if width:
            image = image.resize((width, max(1, round(image.height * width / image.width))), Image.LANCZOS)
        image.quantize(256, dither=Image.Dither.NONE).save(written, format="PNG", optimize=True)
    return written.getvalue()


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
