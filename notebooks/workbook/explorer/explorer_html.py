"""What the explorer found as HTML: cards of ranked documents, each match taken apart, in JupyterLab's own colours.

All text of documents and queries is escaped. What colour says is also said in words or numbers.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from workbook.explorer.contributions import Contributions
from workbook.explorer.explored import BM25, REACH, Answer, Found
from workbook.qdrant.edge import RRF_K
from workbook.qdrant.quantization import SETTINGS
from workbook.written import IGNORED

PAIRS = 8  # rows of the table of pairs
TOKENS = 400  # of a document that are shown
DEEPEST = 55  # percent of the accent colour in the most heavily shaded token: text on it stays readable

STYLE = """<style>
.workbook-explorer { color: var(--jp-ui-font-color1, #111); font-family: var(--jp-ui-font-family, sans-serif); }
.workbook-explorer .widget-html, .workbook-explorer .widget-html-content { max-width: 100%; min-width: 0; }
.workbook-explorer .widget-html-content { line-height: 1.5; }
.workbook-columns { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); }
.workbook-columns section { border: 1px solid var(--jp-border-color1, #bbb); border-radius: 6px;
  padding: 8px 12px; background: var(--jp-layout-color1, #fff); line-height: 1.4; overflow-wrap: anywhere; }
.workbook-explorer h3 { margin: 0; padding: 0; font-size: 15px; font-weight: 600; line-height: 1.4; }
.workbook-explorer h4 { margin: 10px 0 4px; padding: 0; font-size: 13px; font-weight: 600; }
.workbook-explorer p { margin: 2px 0; font-size: 13px; }
.workbook-explorer .quiet { color: var(--jp-ui-font-color2, #555); font-size: 12px; }
.workbook-explorer ol { list-style: none; margin: 8px 0 0; padding: 0; }
.workbook-explorer ol li { border-top: 1px solid var(--jp-border-color2, #ddd); margin: 0; padding: 6px 0;
  font-size: 13px; }
.workbook-mark { border: 1px solid currentColor; border-radius: 8px; font-size: 11px; padding: 0 6px;
  white-space: nowrap; }
.workbook-explorer input:disabled + span { opacity: 0.5; }
.workbook-mark.moved, .workbook-mark.right { font-weight: 600; }
.workbook-explorer summary { color: var(--jp-content-link-color, #0b57d0); cursor: pointer; font-size: 13px;
  width: max-content; }
.workbook-why { border-left: 2px solid var(--jp-border-color1, #bbb); padding-left: 8px; }
.workbook-tokens { display: flex; flex-wrap: wrap; gap: 2px; max-height: 260px; overflow-y: auto; }
.workbook-tokens span { background: color-mix(in srgb, var(--jp-brand-color1, #1976d2) calc(var(--deep) * 1%),
  var(--jp-layout-color1, #fff)); border-radius: 3px; font-size: 13px; line-height: 1.25; padding: 1px 4px;
  text-align: center; }
.workbook-tokens small { display: block; font-size: 10px; }
.workbook-why table { border-collapse: collapse; font-size: 12px; margin: 0; }
.workbook-why th, .workbook-why td { border: 0; padding: 2px 5px 2px 0; text-align: left; }
.workbook-why .number { overflow-wrap: normal; white-space: nowrap; }
.workbook-why .number { font-variant-numeric: tabular-nums; text-align: right; }
</style>"""


READING = """<h4>How to read it</h4>
<p><b>Try</b> asks a judged query that one method wins: it has the right answer before the others. For judged queries
the line above the cards says at which rank each method has the right answer.</p>
<p><b>Cards</b>: a static model with word search, which needs no attention; a transformer; word search (BM25).
<b>why?</b> takes a static model's match apart: its score is a sum over pairs of a query's and a document's token. A
transformer's is not. Scores of two cards cannot be compared: each card says at its end what its scores mean.</p>
<p><b>Dimensions</b> and <b>Compression</b> make the vectors smaller, <b>Rescore</b> sorts the best of the compressed
ones by the original vectors, <b>Oversampling</b> lets it read more of them. A mark says how a document moved against
whole float32 vectors searched exactly. The first search at a new position builds its indexes.</p>
<p><b>Asked again</b>: of the queries that come with the corpus, the weakest first searches are asked again.</p>
<h4>What this does not show</h4>
<p>A few queries that one types oneself decide nothing: the other notebooks measure. The queries to try were chosen
because a method wins them. The milliseconds are of single queries on this machine, search the engine's own part. Codes
of few bits give many documents one score; which of them comes first, or is cut off, is chance, and so may be a move.
What is taken apart is the cosine of float32 vectors, which codes only approximate. Whether a pair of tokens should
count as much is for the reader to say.</p>"""


def reading(ran: str) -> str:
    """How to read it all, folded, with what ran, which is HTML."""
    more = f"<h4>What ran</h4>{ran}" if ran else ""
    return f'<details class="{IGNORED}"><summary>How to read it</summary>{READING}{more}</details>'


def columns(answers: Sequence[Answer], top: int, why: Mapping[tuple[str, str], str]) -> str:
    """A card for each answer, side by side; where the window is narrow, below each other.

    `why`: explanations by method and document id, see `explanation`.
    """
    return f'<div class="workbook-columns {IGNORED}">{"".join(_card(answer, top, why) for answer in answers)}</div>'


def problem(text: str) -> str:
    """A sentence in place of an answer."""
    return f'<p class="{IGNORED}" role="status">{escape(text[:1].upper() + text[1:])}.</p>'


def status(answers: Sequence[Answer], how: str, milliseconds: float, built: str = "", again: str = "") -> str:
    """Where each method has the right answer, if the query is judged; below, how many answered and in what time.

    `how` is where the controls stand, `built` what had to be built first, `again` why the query would be asked again.
    """
    answered = [answer for answer in answers if not answer.problem]
    ranks = [f"{escape(answer.title)} <b>{answer.right or f'below {len(answer.ranked)}'}</b>" for answer in answered]
    right = f"<p>Right answer at rank: {', '.join(ranks)}.</p>" if any(answer.right for answer in answered) else ""
    methods = "method" if len(answered) == 1 else "methods"
    marked = f"<p>{escape(again)}</p>" if again else ""
    line = f"{len(answered)} {methods} answered in {milliseconds:.0f} ms: {escape(how)}.{escape(built)}"
    return f'<div class="{IGNORED}" role="status">{right}{marked}<p class=quiet>{line}</p></div>'


def meaning(answer: Answer) -> str:
    """What the scores of an answer are, in a sentence."""
    if answer.fusion == "rrf":
        return f"the sum of 1 / ({RRF_K} + rank) over both rankings, ranks from 0: {2 / RRF_K:g} is first in both"
    if answer.fusion:
        return "cosine and word score on one scale, added: an average candidate of both has 1"
    if answer.way == BM25:
        return "the query's words in the text, rare ones count more; no upper limit, so compare within a query only"
    if answer.rescored or not SETTINGS[answer.setting].config:
        return "cosine: 1 is the same direction, 0 has nothing in common"
    if answer.setting.startswith("binary"):
        return "equal bits minus unequal ones: many documents have the same"
    return "cosine of the compressed vectors, so only about right"


def explanation(parts: Contributions, answer: Answer, document: Found) -> str:
    """A static model's match: the sum, the pairs that make the most of it, and every token with its share."""
    whole = parts.score
    by = "which it is ranked by"
    if answer.fusion:
        by = "the static half of this match; word search has scored it too"
    elif answer.setting != "float32":
        then = ", then the original vectors of the best" if answer.rescored else ""
        by = f"while {answer.setting} codes were searched{then} (score {document.score:g})"
    rows = "".join(
        f"<tr><td>{escape(part.query)}</td><td>{escape(part.document)}</td><td class=number>{part.places}</td>"
        f"<td class=number>{part.score:+.4f}</td><td class=number>{_percent(part.score, whole)}</td></tr>"
        for part in parts.largest(PAIRS)
    )
    left_out = len(parts.document_tokens) - TOKENS
    more = f"<p class=quiet>{left_out:,} more tokens are not shown.</p>" if left_out > 0 else ""
    return f"""<p>{parts.pairs.size:,} pairs of tokens sum to {parts.pairs.sum():.4f}: the cosine of the float32 vectors
in {answer.dimension} dimensions, {whole:.4f}, {by}.</p>
<h4>Tokens of the query, with their share of the score</h4>
{_tokens("the query", parts.query_tokens, parts.of_query, whole)}
<h4>The largest pairs</h4>
<table><thead><tr><th scope=col>query</th><th scope=col>document</th><th scope=col class=number>places</th>
<th scope=col class=number>adds</th><th scope=col class=number>share</th></tr></thead><tbody>{rows}</tbody></table>
<h4>Tokens of the document, with their share of the score</h4>
{_tokens("the document", parts.document_tokens[:TOKENS], parts.of_document[:TOKENS], whole)}{more}
<p class=quiet>Darker: more of the score; underlined: takes away from it. No number: less than half a percent.</p>"""


def _card(answer: Answer, top: int, why: Mapping[tuple[str, str], str]) -> str:
    title = escape(answer.title)
    head = f"<h3>{title}</h3>"
    if answer.model:
        head += f"<p class=quiet>{escape(answer.model)}</p>"
    if answer.problem:
        return f'<section aria-label="{title}">{head}<p>{escape(answer.problem)}</p></section>'
    vectors = f"{answer.dimension} dimensions, {answer.setting}: {answer.bytes_per_vector:,} bytes per vector"
    words = f"index of words: {answer.bytes_of_words:,} bytes per document"
    sizes = [vectors] * bool(answer.bytes_per_vector) + [words] * bool(answer.bytes_of_words)
    facts = "".join(f"<p class=quiet>{each}</p>" for each in [*sizes, f"score: {meaning(answer)}"])
    times = f"encode {answer.encode_ms:.1f} ms, search {answer.search_ms:.1f} ms"
    found = "".join(f"<li>{_document(answer, each, top, why.get((answer.way, each.id)))}</li>" for each in answer.found)
    gone = "".join(f"<p class=quiet>{escape(each.title or each.id)} (was {each.was})</p>" for each in answer.left)
    left = f"<h4>No longer in the first {top}</h4>{gone}" if gone else ""
    return f'<section aria-label="{title}">{head}<p><b>{times}</b></p><ol>{found}</ol>{left}{facts}</section>'


def _document(answer: Answer, each: Found, top: int, why: str | None) -> str:
    title = escape(each.title or each.id)
    right = '<span class="workbook-mark right">✓ right answer</span> ' if each.is_right else ""
    moved = _moved(each, top) if answer.setting else ""  # words have no setting that could move them
    opens = (
        f'<details><summary aria-label="why? {title}">why?</summary><div class="workbook-why">{why}</div></details>'
        if why
        else ""
    )
    return (
        f"<b>{each.rank}.&nbsp;{title}</b><p>{right}{moved} <span class=quiet>score {each.score:.4g}</span></p>"
        f"<p class=quiet>{escape(each.snippet)}</p>{opens}"
    )


def _moved(each: Found, top: int) -> str:
    if each.was is None or each.was > top:
        text = f"★ new, was {each.was or f'below {REACH}'}"
    elif each.was == each.rank:
        return ""
    else:
        text = f"▲ up {each.was - each.rank}" if each.was > each.rank else f"▼ down {each.rank - each.was}"
    return f'<span class="workbook-mark moved">{text}</span>'


def _tokens(text: str, tokens: Sequence[str], shares: np.ndarray, whole: float) -> str:
    largest = max(np.abs(shares).max(), 1e-12)
    shown = "".join(_token(token, share, share / largest, whole) for token, share in zip(tokens, shares, strict=True))
    return f'<div class="workbook-tokens" role="group" aria-label="Tokens of {text}" tabindex="0">{shown}</div>'


def _token(token: str, share: float, depth: float, whole: float) -> str:
    under = ";text-decoration:underline" if share < 0 else ""
    is_told = whole and abs(share / whole) >= 0.005
    number = f"<small>{_percent(share, whole)}</small>" if is_told else ""
    return f'<span style="--deep:{round(DEEPEST * abs(depth))}{under}">{escape(token)}{number}</span>'


def _percent(share: float, whole: float) -> str:
    return f"{100 * share / abs(whole):+.0f}%" if whole else ""
