"""The explorer's widgets in JupyterLab: a query, examples, sliders, cards of answers, each match taken apart."""

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import ipywidgets as widgets

from workbook.errors import WorkbookError
from workbook.explorer import explorer_html
from workbook.explorer.explored import MAIN, TRANSFORMER, Answer, Found
from workbook.explorer.explorer import Explorer
from workbook.qdrant.quantization import SETTINGS

OVERSAMPLING = (1, 2, 3, 4)  # times as many candidates as results are rescored


class Page(NamedTuple):
    """What is shown for a query, as HTML, and the answers that it shows."""

    status: str
    results: str = ""
    answers: Sequence[Answer] = ()


class View:
    """Widgets around an explorer; `root` is what a notebook shows. The first query is answered at once.

    `ran`: what ran, as HTML, for the end.
    """

    def __init__(self, explorer: Explorer, query: str, ran: str = ""):
        self._explorer = explorer
        style, wide = {"description_width": "initial"}, {"width": "auto"}
        slider = partial(widgets.SelectionSlider, style=style, layout=widgets.Layout(width="255px"))
        check = partial(widgets.Checkbox, indent=False, layout={"width": "auto", "margin": "2px 16px 2px 2px"})
        row = partial(widgets.HBox, layout=widgets.Layout(flex_flow="row wrap", align_items="center"))
        self.query = widgets.Text(
            query, description="Query", placeholder="what are you looking for?", style=style, layout=wide
        )
        self.examples = [self._example(label, text) for label, text in explorer.examples().items()]
        self.dimension = slider(options=explorer.dimensions, value=explorer.dimensions[-1], description="Dimensions")
        self.setting = slider(options=explorer.settings, description="Compression")
        self.rescore = check(description="Rescore with the original vectors")
        self.oversampling = slider(options=OVERSAMPLING, description="Oversampling")
        self.more = check(description="+2 more: the static models alone")
        self._status, self._results = widgets.HTML(), widgets.HTML()
        for widget, name in [(self.query, "query"), (self._results, "results"), (self._status, "status")]:
            widget.add_class(f"workbook-{name}")
        controls = [self.dimension, self.setting, self.rescore, self.oversampling, self.more]
        tries = [row([widgets.HTML("Try:"), *self.examples])] if self.examples else []
        parts = [self.query, *tries, row(controls), self._status, self._results]
        style, reading = (widgets.HTML(each) for each in (explorer_html.STYLE, explorer_html.reading(ran)))
        self.root = widgets.VBox([style, *parts, reading])
        self.root.add_class("workbook-explorer")
        for widget in (self.query, *controls):
            widget.observe(self._ask, "value")
        self._ask()

    def answer(self, query: str) -> Page:
        """Ask with the controls as they stand; each match of a static model that is shown is taken apart."""
        rescore = self.rescore.value and self._has_codes()
        oversampling = float(self.oversampling.value) if rescore and self.oversampling.value > 1 else None
        place, started = (self.dimension.value, self.setting.value), time.perf_counter()
        built = self._explorer.ready(*place)
        asked = time.perf_counter()
        try:
            answers = self._explorer.ask(query, *place, rescore, oversampling)
        except WorkbookError as error:
            return Page(explorer_html.problem(str(error)))
        shown = [answer for answer in answers if self.more.value or answer.way in MAIN]
        explained = {(answer.way, each.id): self._why(answer, query, each) for answer in shown for each in answer.found}
        results = explorer_html.columns(shown, self._explorer.top, explained)
        how = f"{self.dimension.value} dimensions, {self.setting.value}"
        how += f", rescored, oversampling {self.oversampling.value}" if rescore else ""
        first = f" First, {built} indexes were built in {asked - started:.1f} s." if built else ""
        why = self._explorer.again(query)
        again = f"Would be asked again with {self._explorer.title(TRANSFORMER)}: {why}." if why else ""
        status = explorer_html.status(answers, how, 1000 * (time.perf_counter() - asked), first, again)
        return Page(status, results, answers)

    def _example(self, label: str, text: str) -> widgets.Button:
        """A button that asks a query."""
        button = widgets.Button(description=label, tooltip=text, layout={"width": "auto"})
        button.on_click(lambda _: setattr(self.query, "value", text))
        return button

    def _has_codes(self) -> bool:
        return bool(SETTINGS[self.setting.value].config)

    def _why(self, answer: Answer, query: str, document: Found) -> str:
        """A static model's match taken apart, alone or fused; nothing for another's, which is no sum over words."""
        encoder = self._explorer.encoder(answer.way)
        if not encoder or encoder.kind != "static":
            return ""
        try:
            parts = self._explorer.explain(answer.way, query, document.id, answer.dimension)
        except WorkbookError as error:
            return explorer_html.problem(str(error))
        return explorer_html.explanation(parts, answer, document)

    def _ask(self, _: object = None) -> None:
        """Show the answers; a control that would do nothing is greyed out."""
        self.rescore.disabled = not self._has_codes()
        self.oversampling.disabled = self.rescore.disabled or not self.rescore.value
        page = self.answer(self.query.value)
        self._status.value, self._results.value = page.status, page.results
