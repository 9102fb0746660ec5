"""The explorer's widgets in JupyterLab: a query, sliders, the answers side by side, and a match taken apart."""

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import ipywidgets as widgets

from workbook.errors import WorkbookError
from workbook.explorer import explorer_html
from workbook.explorer.explorer import CUSTOM, STATIC, Answer, Explorer
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
        style, wide = {"description_width": "initial"}, {"width": "100%"}
        slider = partial(widgets.SelectionSlider, style=style, layout=widgets.Layout(width="255px"))
        self.query = widgets.Text(
            query, description="Query", placeholder="what are you looking for?", style=style, layout=wide
        )
        self.dimension = slider(options=explorer.dimensions, value=explorer.dimensions[-1], description="Dimensions")
        self.setting = slider(options=explorer.settings, description="Quantization")
        self.rescore = widgets.Checkbox(
            description="Rescore with the original vectors", indent=False,
            layout={"width": "auto", "margin": "2px 16px 2px 2px"},
        )  # fmt: skip
        self.oversampling = slider(options=OVERSAMPLING, description="Oversampling")
        self.match = widgets.Dropdown(description="Explain", style=style, layout=wide)
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
        rescore = self.rescore.value and self._has_codes()
        oversampling = float(self.oversampling.value) if rescore and self.oversampling.value > 1 else None
        try:
            answers = self._explorer.ask(query, self.dimension.value, self.setting.value, rescore, oversampling)
        except WorkbookError as error:
            return Page(explorer_html.problem(str(error)))
        matches = [
            (f"{answer.way} {each.rank}. {each.title or each.id}", (answer.way, each.id))
            for answer in answers
            for each in answer.found
            if answer.way in (STATIC, CUSTOM)
        ]
        found = [value for _, value in matches]
        match = match if match in found else next(iter(found), None)
        explanation = self._explained(answers, query, match) if match else ""
        how = f"{self.dimension.value} dimensions, {self.setting.value}"
        how += f", rescored, oversampling {self.oversampling.value}" if rescore else ""
        results = explorer_html.columns(answers, self._explorer.top)
        status = explorer_html.status(answers, how, 1000 * (time.perf_counter() - started))
        return Page(status, results, explanation, matches, match)

    def _has_codes(self) -> bool:
        return bool(SETTINGS[self.setting.value].config)

    def _explained(self, answers: Sequence[Answer], query: str, match: Match) -> str:
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
