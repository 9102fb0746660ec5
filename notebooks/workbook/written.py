"""Show texts as they were written, in HTML, in Markdown and in tables: no character is read as markup or mathematics.

Names of folders and texts of documents hold dollars, stars and brackets. JupyterLab typesets what stands between
dollars, in tables too, unless MathJax is told to pass it by. In figures, `text.parse_math` of workbook.mplstyle is off.
"""

import html
import re
from collections.abc import Sequence

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

IGNORED = "mathjax_ignore tex2jax_ignore"  # classes that MathJax 3 and 2 pass by
MARKUP = re.compile(r"[\\`*_~|]|\](?=[(\[:])")
pd.set_option("styler.html.mathjax", False)
pd.set_option("display.html.use_mathjax", False)


def paragraphs(texts: Sequence[str]) -> str:
    """Texts as HTML, a paragraph each."""
    return f'<div class="{IGNORED}">{"".join(f"<p>{escaped(text)}</p>" for text in texts)}</div>'


def shown(texts: Sequence[str]) -> HTML:
    """Texts as an output of a notebook, a paragraph each."""
    return HTML(paragraphs(texts))


def escaped(text: str) -> str:
    """Text for HTML."""
    return html.escape(text, quote=False)


def markdown(text: str) -> str:
    """Text for one line of Markdown, or a cell of its tables, as GitHub reads it, which typesets mathematics too."""
    plain = MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
    return escaped(plain).replace("$", "<span>$</span>")


def table(frame: pd.DataFrame, name: str, digits: int = 4) -> Styler:
    """A table whose names and texts are shown as they were written; numbers get so many digits."""
    # a Styler's id is random unless it is given, and only cells are escaped unless it is asked for the rest
    styler = Styler(frame, uuid=name, cell_ids=False)
    for axis in (0, 1):
        styler.format_index(escape="html", axis=axis).format_index_names(escape="html", axis=axis)
    return styler.format(precision=digits, thousands=",", na_rep="", escape="html")
