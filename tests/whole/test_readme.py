"""The READMEs are true where that can be checked: what they link, name and show is there."""

import re
import subprocess

import pytest
from workbook import names, paths
from workbook.embedding import encoders
from workbook.runs import front_page, plan

README, DETAIL = ((folder / "README.md").read_text(encoding="utf-8") for folder in (paths.ROOT, paths.NOTEBOOKS))
BOTH = README + DETAIL
FIGURES = [figure.removeprefix("../") for figure in re.findall(r"!\[.+?\]\((\S+?)\)", BOTH)]
WORDS = 900  # on the front page


def committed():
    listed = subprocess.run(["git", "ls-files"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


def test_the_front_page_is_short():
    assert len([word for word in README.split() if re.search(r"[A-Za-z0-9]", word)]) <= WORDS


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_committed(figure):
    assert (paths.ROOT / figure).is_file()
    assert not committed() or figure in committed()


def test_four_figures_are_shown_and_no_other_is_committed():
    assert len(FIGURES) == 4
    kept = {file for file in committed() if file.startswith("figures/")}
    assert not kept or kept == set(FIGURES)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", BOTH))))
def test_each_target_is_in_the_makefile(target):
    assert re.search(rf"^{target}:", (paths.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_each_notebook_and_profile_is_in_a_table():
    for name in [file.stem for file in paths.NOTEBOOKS.glob("*.ipynb")]:
        assert f"| `{name}` |" in README and f"| `{name}` |" in DETAIL
    for profile in plan.read(plan.PLAN)["profiles"]:
        assert f"| `{profile}` |" in DETAIL


@pytest.mark.parametrize("path", sorted(set(re.findall(r"[`(]((?:notebooks|tests)/[\w./]*\w)[`)]", BOTH))))
def test_each_path_is_there(path):
    assert (paths.ROOT / path).exists()


def test_an_answer_stands_between_the_marks():
    answer = README.split(front_page.BEGIN)[1].split(front_page.END)[0]
    assert answer.count("\n| ") > 5 and "Not measured" not in answer
    assert names.plain("all-MiniLM-L6-v2") in answer and "all-MiniLM-L6-v2" in encoders.MODELS
