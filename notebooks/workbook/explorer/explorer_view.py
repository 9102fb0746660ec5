"""The explorer's widgets in JupyterLab: a query, sliders, the answers side by side, and a match taken apart."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import ipywidgets as widgets

from workbook.errors import WorkbookError
from workbook.explorer import explorer_html
from workbook.explorer.explorer import CUSTOM, STATIC, Answer, Explorer, Found
from workbook.qdrant.quantization import SETTINGS

OVERSAMPLING = (1, 2, 3, 4)  # times as many candidates as results are rescored
Match = tuple[str, str]  # a way to search and a document's id


class Page(NamedTuple):
    """What is shown for a query, as HTML; the matches that can be explained, by label, and the one that is."""

    status: str
    results: str = ""
    explanation: str = ""
    matches: Sequence[tuple[str, Match]] = ()
    match: Match | None = None


class View:
    """Widgets around an explorer; `root` is what a notebook shows. The first query is answered at once."""

    def __init__(self, explorer: Explorer, query: str):
        self._explorer = explorer
        style, narrow = {"description_width": "initial"}, widgets.Layout(width="255px")
        self.query = widgets.Text(
            query,
            description="Query",
            placeholder="what are you looking for?",
            layout=widgets.Layout(width="100%"),
            style=style,
        )
        self.dimension = widgets.SelectionSlider(
            options=explorer.dimensions,
            value=explorer.dimensions[-1],
            description="Dimensions",
            style=style,
            layout=narrow,
        )
        self.setting = widgets.SelectionSlider(
            options=explorer.settings, description="Quantization", style=style, layout=narrow
        )
        self.rescore = widgets.Checkbox(
            description="Rescore with the original vectors",
            indent=False,
            layout=widgets.Layout(width="auto", margin="2px 16px 2px 2px"),
        )
        self.oversampling = widgets.SelectionSlider(
            options=OVERSAMPLING, description="Oversampling", style=style, layout=narrow
        )
        self.match = widgets.Dropdown(description="Explain", layout=widgets.Layout(width="100%"), style=style)
        self._status, self._results, self._explanation = (widgets.HTML() for _ in range(3))
        for widget, name in [(self.query, "query"), (self._results, "results"), (self._status, "status")]:
            widget.add_class(f"workbook-{name}")
        controls = [self.dimension, self.setting, self.rescore, self.oversampling]
        self.root = widgets.VBox(
            [
                widgets.HTML(explorer_html.STYLE), self.query,
                widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap", align_items="center")),
                self._status, self._results, self.match, self._explanation,
            ]
        )  # fmt: skip
        self.root.add_class("workbook-explorer")
        for widget in (self.query, *controls):
            widget.observe(self._ask, "value")
        self.match.observe(self._explain, "value")
        self._ask()

    def answer(self, query: str, match: Match | None = None) -> Page:
        """Ask with the controls as they stand and explain a match, the first static one if there is no such."""
        started = time.perf_counter()
        try:
            answers = self._answers(query)
        except WorkbookError as error:
            return Page(explorer_html.problem(str(error)))
        matches = _matches(answers)
        found = [value for _, value in matches]
        match = match if match in found else next(iter(found), None)
        explanation = self._explained(answers, query, match)
        results = explorer_html.columns(answers, self._explorer.top)
        status = explorer_html.status(answers, self._how(), 1000 * (time.perf_counter() - started))
        return Page(status, results, explanation, matches, match)

    def _answers(self, query: str) -> list[Answer]:
        rescore = self.rescore.value and self._has_codes()
        oversampling = float(self.oversampling.value) if rescore and self.oversampling.value > 1 else None
        return self._explorer.ask(query, self.dimension.value, self.setting.value, rescore, oversampling)

    def _how(self) -> str:
        """Where the controls stand, in words."""
        times = (
            f", rescored, oversampling {self.oversampling.value}" if self.rescore.value and self._has_codes() else ""
        )
        return f"{self.dimension.value} dimensions, {self.setting.value}{times}"

    def _has_codes(self) -> bool:
        return bool(SETTINGS[self.setting.value].config)

    def _explained(self, answers: Sequence[Answer], query: str, match: Match | None) -> str:
        if match is None:
            return ""
        way, document = match
        answer = next(answer for answer in answers if answer.way == way)
        found = next(each for each in answer.found if each.id == document)
        try:
            parts = self._explorer.explain(way, query, document, answer.dimension)
        except WorkbookError as error:
            return explorer_html.problem(str(error))
        return explorer_html.explanation(parts, answer, found)

    def _ask(self, _: object = None) -> None:
        """Show the answers; a control that would do nothing is greyed out."""
        self.rescore.disabled = not self._has_codes()
        self.oversampling.disabled = self.rescore.disabled or not self.rescore.value
        self._show(self.answer(self.query.value, self.match.value))

    def _explain(self, change: dict) -> None:
        self._show(self.answer(self.query.value, change["new"]))

    def _show(self, page: Page) -> None:
        self._status.value, self._results.value, self._explanation.value = page.status, page.results, page.explanation
        self.match.unobserve(self._explain, "value")
        self.match.options, self.match.value = page.matches, page.match
        self.match.observe(self._explain, "value")
        self.match.layout.visibility = "visible" if page.matches else "hidden"


def _matches(answers: Sequence[Answer]) -> list[tuple[str, Match]]:
    """What can be explained: the documents that the static models found."""
    static = [answer for answer in answers if answer.way in (STATIC, CUSTOM)]
    return [(_label(answer, each), (answer.way, each.id)) for answer in static for each in answer.found]


def _label(answer: Answer, each: Found) -> str:
    return f"{answer.way} {each.rank}. {each.title or each.id}"
