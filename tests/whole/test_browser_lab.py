"""The notebooks in a real JupyterLab, driven as a person drives it: by its menus, the keyboard and the mouse."""

import json
import os
import re

import nbformat
import numpy as np
import pytest
from browser import CONTRAST, PATIENCE, PHONE, WIDE, shoot
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from playwright.sync_api import expect
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import vectors
from workbook.runs import plan

pytestmark = pytest.mark.slow
RAN = re.compile(r"\[\d+\]:")  # the prompt of a cell that was run
MARGIN = 200  # pixels of menus and bars above and below a notebook
SIZES = "images => images.map(image => [image.naturalWidth, image.width, image.closest('.jp-OutputArea').clientWidth])"


@pytest.fixture
def put(lab):
    """Lay a notebook into Lab's folder, its parameters cell followed by these values as papermill does it."""

    def lay(notebook, parameters):
        content = load_notebook_node(str(paths.NOTEBOOKS / f"{notebook}.ipynb"))
        nbformat.write(parameterize_notebook(content, parameters), lab.folder / f"{notebook}.ipynb")
        return lab.url(notebook)

    return lay


def run_all(page, url):
    """Open a notebook, choose Run All Cells from the menu, and wait until no cell waits for its turn.

    Returns the code cells, after a look at their ends: every one ran, none with an error, nothing on stderr.
    """
    page.goto(url)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)")
    expect(prompts.first).to_have_text(RAN)
    expect(prompts.filter(has_text="[*]")).to_have_count(0, timeout=5 * PATIENCE * 1_000)  # a model may be distilled
    if page.locator(".jp-Placeholder-prompt").count():  # of hidden code: such a notebook ends with something to see
        last = page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output")
        expect(last.first).to_be_attached(timeout=5 * PATIENCE * 1_000)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    expect(prompts).to_have_text([RAN] * prompts.count())
    assert page.errors == []
    return page.locator(".jp-CodeCell")


def shoot_whole(page, name, width=WIDE[0]):
    """Keep a picture of the whole notebook: a window as high as all its cells, from the first."""
    cells = page.locator(".jp-Notebook .jp-Cell")
    bottom = "(cells) => cells.at(-1).getBoundingClientRect().bottom - cells[0].getBoundingClientRect().top"
    page.set_viewport_size({"width": width, "height": int(cells.evaluate_all(bottom)) + MARGIN})
    cells.first.evaluate("cell => cell.scrollIntoView()")
    shoot(page, name)


def test_a_core_notebook_runs_to_its_figures(page, put):
    [job] = plan.prepare(plan.read(plan.PLAN), "smoke", {}, ["03_matryoshka_dimensions"])
    cells = run_all(page, put(job.notebook, job.parameters))
    figures = cells.locator(".jp-OutputArea-output img")
    expect(figures).to_have_count(1)
    for drawn, shown, room in figures.evaluate_all(SIZES):
        assert drawn > 0, "the picture did not load"
        assert 0 < shown <= room, "the picture is cut"
    shoot_whole(page, f"lab-{job.notebook}")


TINY = {
    "corpus": "sample", "static_model": "tiny-static", "transformer_model": "tiny-transformer",
    "query": "where can I borrow money",
}  # fmt: skip
# Milliseconds from each key to the new results in the page
STOPWATCH = """explorer => {
  window.spent = [];
  let pressed = 0;
  for (const kind of ["input", "keydown"]) {
    explorer.addEventListener(kind, () => { pressed = performance.now(); }, true);
  }
  new MutationObserver(() => window.spent.push(performance.now() - pressed))
    .observe(explorer.querySelector(".workbook-results"), {childList: true, subtree: true});
}"""


# No card reaches beyond the output of its cell
WITHIN = """() => [...document.querySelectorAll(".workbook-columns section, .workbook-query")].every(each =>
  each.getBoundingClientRect().right <= each.closest(".jp-OutputArea-output").getBoundingClientRect().right)"""
# What a reader is told of a control: its own text, a label, or a description
NAMED = """all => all.map(each => each.getAttribute("aria-label") || each.textContent.trim() || each.title
  || [...(each.labels || [])].map(label => label.textContent.trim()).join("")
  || (each.closest("label") || each.parentElement).textContent.trim() || each.placeholder)"""


def slider(page, name):
    """The handle of one of the explorer's sliders: arrow keys move it."""
    return page.locator(".workbook-explorer .widget-slider").filter(has_text=name).locator(".noUi-handle")


def test_the_explorer_answers_what_is_typed_and_where_sliders_stand(page, put):
    run_all(page, put("explore", TINY))
    query = page.locator(".workbook-query input")
    expect(query).to_be_in_viewport()  # and so it is where one looks when it is there
    shoot(page, "lab-explore-first")
    explorer = page.locator(".workbook-explorer")
    results, status = page.locator(".workbook-results"), page.locator(".workbook-status")
    columns = results.locator("section")
    main = ["tiny-static + BM25", "tiny-transformer", "word search (BM25)"]
    expect(columns.locator("h3")).to_have_text(main)
    first = columns.nth(2).locator("li").first
    expect(first).to_contain_text("lenders")
    for example in explorer.get_by_role("button").all():
        example.click()
        expect(status).to_contain_text("Right answer at rank: tiny-static + BM25")
    query.fill("how does a glacier move")
    expect(first).not_to_contain_text("lenders")

    more, rescore = (explorer.get_by_label(name) for name in ("+2 more", "Rescore"))
    more.check()
    expect(columns.locator("h3")).to_have_text([*main, "tiny-static", "trained static"])
    expect(columns.nth(4)).to_contain_text("To train one: make run-notebooks NOTEBOOK=05_train_your_own CORPUS=sample")
    widths = columns.evaluate_all("all => all.map(card => Math.round(card.getBoundingClientRect().width))")
    assert len(set(widths)) == 1, "cards of different widths"
    expect(rescore).to_be_disabled()
    static = columns.nth(3)
    slider(page, "Dimensions").press("ArrowLeft")
    expect(static).to_contain_text("32 dimensions, float32: 128 bytes per vector")
    slider(page, "Compression").press("End")
    expect(static).to_contain_text("32 dimensions, binary: 16 bytes per vector")
    expect(results.locator(".workbook-mark.moved").first).to_be_visible()
    rescore.check()
    best = static.locator("li")
    expect(best.first).to_contain_text("score 0.")  # a cosine, no count of equal bits
    before = best.locator("b").all_inner_texts()
    slider(page, "Oversampling").press("End")
    expect(best.locator("b")).not_to_have_text(before)

    why = best.nth(1).locator("summary")
    expect(best.nth(1).locator(".workbook-why")).to_be_hidden()
    why.press("Enter")
    expect(best.nth(1).locator(".workbook-why")).to_contain_text("pairs of tokens sum to")
    more.uncheck()
    look_at(page)

    query.fill(" ")
    expect(status).to_contain_text("The query is empty: type what you are looking for.")
    query.fill("zzzz")
    expect(columns.nth(2)).to_contain_text("No document has a word of this query.")
    assert page.errors == []


def look_at(page):
    """The first example in light and dark, on a screen and a phone: it can be read, nothing is cut, all has a name."""
    page.locator(".workbook-explorer").get_by_role("button").first.click()
    page.locator(".workbook-explorer summary").first.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(scheme == "light").lower())
        for width, height in (WIDE, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            page.locator(".workbook-explorer").evaluate("explorer => explorer.scrollIntoView()")
            shoot(page, f"lab-explore-{scheme}-{width}")
            page.wait_for_function(WITHIN)
        weak = page.evaluate(CONTRAST, ".workbook-explorer")
        assert [(text, round(ratio, 2)) for text, ratio in weak if ratio < 4.5] == []
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    levels = page.locator(".workbook-explorer :is(h1, h2, h3, h4)").evaluate_all("all => all.map(h => +h.tagName[1])")
    assert levels[0] == 3 and set(levels) <= {3, 4}
    names = page.locator(".workbook-explorer :is(input, button, summary)").evaluate_all(NAMED)
    assert names and all(names), "a control without a name"


def test_how_soon_the_explorer_answers_in_the_page(page, put, lab, capsys):
    """Printed, not asserted: on SciFact where it is at hand, and with MiniLM if this machine has encoded it before."""
    corpus = corpora.load("scifact" if os.environ.get("BEIR_DATA_DIR") else "sample")
    asked = {"corpus": corpus.name, "dimensions": [128, 384], "query": corpus.query_texts[0]}
    asked |= {} if borrowed(corpus, lab.folder.parent / "data") else {"transformer_model": ""}
    run_all(page, put("explore", asked if corpus.name != "sample" else TINY))
    page.locator(".workbook-explorer").evaluate(STOPWATCH)
    texts = corpus.query_texts[1:26]
    for number, text in enumerate(texts):
        for act in (
            lambda text=text: page.locator(".workbook-query input").fill(text),
            lambda key=("ArrowLeft", "ArrowRight")[number % 2]: slider(page, "Dimensions").press(key),
            lambda key=("End", "Home")[number % 2]: slider(page, "Compression").press(key),
        ):
            before = page.evaluate("spent.length")
            act()
            page.wait_for_function("before => spent.length > before", arg=before)
    spent = page.evaluate("spent")
    ways = page.locator(".workbook-results section:has(li) h3").all_inner_texts()
    with capsys.disabled():
        print(
            f"\nexplorer on {corpus.name}, {', '.join(ways)}: {np.median(spent):.0f} ms median, "
            f"{np.percentile(spent, 95):.0f} ms p95 of {len(spent)} updates, from the key to the results in the page "
            f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
        )
    assert len(spent) == 3 * len(texts)


def borrowed(corpus, data):
    """Link models and vectors of this machine's data folder into another; tell whether MiniLM's are among them."""
    for kind in ("models", "vectors"):
        (data / kind).mkdir(parents=True, exist_ok=True)
        for entry in (paths.DATA / kind).glob("[!.]*[0-9a-f]"):
            if not (data / kind / entry.name).exists():
                (data / kind / entry.name).symlink_to(entry)
    wanted = vectors.texts_sha256(corpus.document_texts)
    manifests = (data / "vectors").glob("all-MiniLM-L6-v2-*/manifest.json")
    return any(json.loads(manifest.read_text())["texts"] == wanted for manifest in manifests)
