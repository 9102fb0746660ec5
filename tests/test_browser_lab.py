"""The notebooks in a real JupyterLab, driven as a person drives it: by its menus, the keyboard and the mouse."""

import re

import nbformat
import pytest
from browser import WIDE, shoot
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from playwright.sync_api import expect
from workbook import paths, plan

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
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    expect(prompts.first).to_have_text(RAN)
    expect(prompts.filter(has_text="[*]")).to_have_count(0)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    expect(prompts).to_have_text([RAN] * prompts.count())
    assert page.errors == []
    return page.locator(".jp-CodeCell")


def shoot_whole(page, name):
    """Keep a picture of the whole notebook: a window as high as all its cells, from the first."""
    cells = page.locator(".jp-Notebook .jp-Cell")
    bottom = "(cells) => cells.at(-1).getBoundingClientRect().bottom - cells[0].getBoundingClientRect().top"
    page.set_viewport_size({"width": WIDE[0], "height": int(cells.evaluate_all(bottom)) + MARGIN})
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
