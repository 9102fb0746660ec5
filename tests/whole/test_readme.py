"""The READMEs are true where that can be checked: what they link, name and show is there."""

import re
import subprocess

import pytest
from workbook import names, paths
from workbook.conclusions import across, answers, asked, summary
from workbook.embedding import encoders
from workbook.evaluation import meta_analysis, results
from workbook.evaluation.columns import NUMBERS
from workbook.evaluation.statistics import MARGIN, Interval
from workbook.runs import front_page, plan

README, DETAIL = ((folder / "README.md").read_text(encoding="utf-8") for folder in (paths.ROOT, paths.NOTEBOOKS))
BOTH = README + DETAIL
FIGURES = [figure.removeprefix("../") for figure in re.findall(r"!\[.+?\]\((\S+?)\)", BOTH)]
WORDS = 900  # on the front page


def committed():
    listed = subprocess.run(["git", "ls-files"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


def test_the_front_page_is_short():
    read = re.sub(r"<details>.*?</details>", "", README, flags=re.DOTALL)  # the code to paste is folded
    assert len([word for word in read.split() if re.search(r"[A-Za-z0-9]", word)]) <= WORDS


def test_the_claim_and_the_scores_follow_from_the_committed_rows():
    """The rows are others' whole input: whoever has them makes the same sentence and the same table again."""
    rows = results.read_table(paths.ROOT / "data" / "readme-rows.csv", NUMBERS)
    text = README.replace("\N{NO-BREAK SPACE}", " ")
    scored = rows[rows["scenario"].isna()]
    transformer = scored["against"].dropna().iloc[0]
    for _, row in asked.table(asked.scores(scored, transformer), transformer).iterrows():
        assert f"| {' | '.join(row)} |" in text
    hybrid = rows[(rows["scenario"] == answers.HYBRID) & (rows["metric"] == "ndcg@10 difference")]
    compared = []
    for (one, other), own in hybrid[hybrid["corpus"].notna()].groupby(["method", "against"], sort=False):
        effects = {row["corpus"]: Interval.of(row) for _, row in own.iterrows()}
        overall = meta_analysis.pool(list(effects.values())) if len(effects) >= meta_analysis.FEWEST else None
        compared.append(across.Comparison(answers.HYBRID, one, other, effects, overall))
    assert f"**{summary.claim_over(compared, MARGIN)}**" in text


def test_each_row_names_what_measures_it_again():
    rows = results.read_table(paths.ROOT / "data" / "readme-rows.csv", NUMBERS)
    scored = rows[rows["scenario"].isna()]
    planned = plan.read(plan.PLAN)["profiles"]["suite"]["notebooks"]
    assert scored[["corpus", "method", "key", "notebook"]].notna().all(axis=None)
    assert set(scored["notebook"]) <= set(planned)


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_is_committed(figure):
    assert (paths.ROOT / figure).is_file()
    assert not committed() or figure in committed()


def test_three_figures_are_shown_and_no_other_is_committed():
    assert len(FIGURES) == 3
    kept = {file for file in committed() if file.startswith("figures/")}
    assert not kept or kept == set(FIGURES)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", BOTH))))
def test_each_target_is_in_the_makefile(target):
    assert re.search(rf"^{target}:", (paths.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_each_notebook_and_profile_is_in_a_table():
    for name in [file.stem for file in paths.NOTEBOOKS.glob("*.ipynb")]:
        assert f"| `{name}` |" in DETAIL
    for profile in plan.read(plan.PLAN)["profiles"]:
        assert f"| `{profile}` |" in DETAIL


@pytest.mark.parametrize("path", sorted(set(re.findall(r"[`(]((?:notebooks|tests)/[\w./]*\w)[`)]", BOTH))))
def test_each_path_is_there(path):
    assert (paths.ROOT / path).exists()


def test_an_answer_stands_between_the_marks():
    answer = README.split(front_page.BEGIN)[1].split(front_page.END)[0]
    detail = DETAIL.split(front_page.BEGIN)[1].split(front_page.END)[0]
    assert answer.count("\n| ") > 5 and detail.count("\n| ") > 5 and "Not measured" not in answer + detail
    assert names.plain("all-MiniLM-L6-v2") in answer and "all-MiniLM-L6-v2" in encoders.MODELS
