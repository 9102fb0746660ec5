"""A run of five small corpora: interrupted, gone on with, judged over all of them, and reported."""

import json
import random
import shutil

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from smoke import folders
from workbook import paths
from workbook.conclusions import run_rows
from workbook.evaluation import results
from workbook.names import ACROSS, VERDICT
from workbook.runs import outcomes, plan, report, runner

pytestmark = pytest.mark.slow
FIRST = "01_static_vs_transformer"
COUNT = 5


def part_of_the_sample(folder, seed):
    """The sample with nine tenths of its queries, drawn by seed, as a corpus of its own."""
    shutil.copytree(paths.SAMPLE, folder)
    lines = (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()
    queries = sorted({line.split("\t")[0] for line in lines[1:]})
    kept = random.Random(seed).sample(queries, 9 * len(queries) // 10)
    judged = [line for line in lines[1:] if line.split("\t")[0] in kept]
    (folder / "qrels" / "test.tsv").write_text("\n".join([lines[0], *judged]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Folder, name and overrides of a run that was interrupted at its third notebook, and then ran to its end."""
    folder = tmp_path_factory.mktemp("several")
    for seed in range(COUNT):
        part_of_the_sample(folder / "sets" / f"set{seed}", seed)
    content = plan.read(plan.PLAN)
    own = content["profiles"]["smoke"]["notebooks"]
    content["profiles"]["smoke"]["notebooks"] = {name: own[name] for name in (FIRST, VERDICT, ACROSS)}
    (folder / "runs.yaml").write_text(yaml.safe_dump({**content, "expected": []}), encoding="utf-8")
    given, execute, ran = {"corpus": "local"}, runner.execute, []

    def counted(part, job):
        if len(ran) == 2:
            ran.append("interrupted")
            raise KeyboardInterrupt
        ran.append(f"{part.name}: {job.notebook}")
        return execute(part, job)

    with folders(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEIR_DATA_DIR", str(folder / "sets"))
        patch.setattr(runner, "execute", counted)
        with pytest.raises(KeyboardInterrupt):
            runner.run("smoke", given, [], folder / "runs.yaml")
        assert runner.run("smoke", given, [], folder / "runs.yaml") == 0
        yield folder, given, ran


def outputs(folder, notebook):
    executed = nbformat.read(folder / "reports" / "smoke+local" / f"{notebook}.ipynb", as_version=4)
    return json.dumps([output for cell in executed.cells for output in cell.get("outputs", [])], ensure_ascii=False)


def test_what_was_done_before_the_interruption_is_not_done_again(several):
    ran = several[2]
    assert ran[2] == "interrupted" and len(ran) == COUNT + 2 + 1
    assert sorted(set(ran) - {"interrupted"}) == sorted(
        [f"set{seed}: {FIRST}" for seed in range(COUNT)] + [f"all corpora: {name}" for name in (VERDICT, ACROSS)]
    )


def test_the_overall_effect_is_that_of_the_corpora_rows(several):
    rows = results.read_rows(results.published_file("smoke+local", ACROSS))
    asked = {"method": "tiny-static", "against": "tiny-transformer", "metric": "ndcg@10 difference"}
    for column, wanted in asked.items():
        rows = rows[rows[column] == wanted]
    own = rows[rows["corpus"].notna()].set_index("corpus")["value"]
    assert list(own.index) == [f"set{seed}" for seed in range(COUNT)]
    for name, evidence in run_rows.read_each("smoke+local").items():
        measured = evidence.rows[(evidence.rows["metric"] == "ndcg@10 difference") & evidence.rows["method"].isna()]
        assert own[name] == pytest.approx(measured["value"].iloc[0], abs=1e-9)
    mean = rows[rows["part"] == "mean over corpora"].iloc[0]
    new = rows[rows["part"] == "a new corpus"].iloc[0]
    assert own.min() < mean["value"] < own.max() and mean["n"] == COUNT
    assert new["low"] <= mean["low"] < mean["high"] <= new["high"]
    assert (rows["part"].fillna("").str.startswith("mean without")).sum() == COUNT


def test_the_verdict_and_09_tell_of_all_corpora(several):
    for notebook in (VERDICT, ACROSS):
        text = outputs(several[0], notebook)
        assert "5 corpora" in text and "a new corpus" in text
        assert "Warning" not in text and "image/png" in text
    assert all(f"set{seed}" in outputs(several[0], VERDICT) for seed in range(COUNT))
    assert "not run" in outputs(several[0], ACROSS), "others' numbers of sets that are not here"
    names = {file.name for file in (several[0] / "figures").glob("smoke+local-*.png")}
    drawn = ("answer", "answer-comparisons", "across-methods", "across-bytes", "across-facts")
    assert names == {f"smoke+local-{name}.png" for name in drawn}


def test_the_report_leads_to_each_corpus(several):
    folder, given, _ = several
    index = report.build("smoke", given, folder / "runs.yaml")
    soup = BeautifulSoup(index.read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in soup.select("dl.answers dt a")]
    assert len(links) == COUNT and all((index.parent / link).is_file() for link in links)
    assert all((index.parent / link["href"]).is_file() for link in soup.select("dl.answers small a"))
    assert outcomes.conclude("smoke+local").claim in soup.get_text()
