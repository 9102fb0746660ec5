"""The parts of a run: corpora between commas, those that are at hand, and what is refused before anything starts."""

import shutil

import pytest
from workbook.errors import WorkbookError
from workbook.names import ACROSS, VERDICT
from workbook.runs import outcomes, parts, plan

PLAN = plan.read(plan.PLAN)


def of(corpus, only=(), profile="default"):
    return parts.of(PLAN, profile, {"corpus": corpus} if corpus else {}, list(only))


def notebooks(part):
    return [job.notebook for job in part.jobs]


def test_a_run_of_one_corpus_has_one_part_without_the_notebook_across():
    [part] = of("sample")
    assert (part.run, part.corpus) == ("default+sample", "")
    assert VERDICT in notebooks(part) and ACROSS not in notebooks(part)


def test_each_corpus_has_a_part_and_what_reads_runs_once_over_all(beir_folder):
    one, two, last = of(f"sample, {beir_folder}")
    slug = outcomes.corpus_name(str(beir_folder))
    assert [one.run, two.run, last.run] == [f"default+sample,{slug}{tail}" for tail in ("/sample", f"/{slug}", "")]
    assert [part.name for part in (one, two, last)] == ["sample", "tiny", "all corpora"]
    assert notebooks(one) == notebooks(two) and VERDICT not in notebooks(one)
    assert notebooks(last) == [VERDICT, ACROSS]
    assert {job.parameters["corpus"] for job in two.jobs} == {str(beir_folder.resolve())}


def test_a_path_that_is_there_is_one_corpus_whatever_its_name(beir_folder):
    odd = shutil.copytree(beir_folder, beir_folder.parent / "one,two")
    [part] = of(str(odd))
    assert {job.parameters["corpus"] for job in part.jobs if "corpus" in job.parameters} == {str(odd.resolve())}


def test_local_stands_for_every_set_at_hand(tmp_path, beir_folder, monkeypatch):
    monkeypatch.setenv("BEIR_DATA_DIR", str(tmp_path / "sets"))
    with pytest.raises(WorkbookError, match="there is no such folder"):
        of(parts.LOCAL)
    (tmp_path / "sets" / "empty").mkdir(parents=True)
    with pytest.raises(WorkbookError, match=r"no folder of .*sets has a corpus\.jsonl: set BEIR_DATA_DIR to a folder"):
        of(parts.LOCAL)
    for name in ("scifact", "shop"):
        shutil.copytree(beir_folder, tmp_path / "sets" / name)
    scifact, shop, _ = of(parts.LOCAL)
    assert (scifact.corpus, shop.corpus) == ("scifact", str(tmp_path / "sets" / "shop"))
    assert scifact.run == "default+local/scifact"
    shutil.rmtree(tmp_path / "sets" / "scifact")
    [part] = of(parts.LOCAL)
    assert {job.parameters["corpus"] for job in part.jobs if "corpus" in job.parameters} == {shop.corpus}


@pytest.mark.parametrize(
    ("corpus", "only", "message"),
    [
        ("sample,nowhere", (), "corpus nowhere: 01_static_vs_transformer: parameter corpus: unknown corpus 'nowhere'"),
        ("sample,python-docs,sample", (), "corpus sample is given twice: take one out"),
        ("sample", (ACROSS,), f"{ACROSS} compares corpora and this run has one: give more, as CORPUS=scifact,nfcorpus"),
        (",", (), "unknown corpus"),
    ],
)
def test_what_cannot_be_compared_is_refused(corpus, only, message):
    with pytest.raises(WorkbookError, match=message):
        of(corpus, only)


def test_a_folder_given_twice_by_two_paths_is_refused(beir_folder):
    with pytest.raises(WorkbookError, match="corpus tiny is given twice"):
        of(f"{beir_folder},{beir_folder}/../tiny")


def test_names_of_many_corpora_become_a_number_and_a_hash():
    few, many = (",".join(f"corpus{number}" for number in range(count)) for count in (3, 30))
    assert outcomes.run_name("default", {"corpus": few}) == f"default+{few}"
    assert outcomes.run_name("default", {"corpus": many}).startswith("default+30-corpora-")
    assert outcomes.run_name("default", {"corpus": many}) != outcomes.run_name(
        "default", {"corpus": many + ",one-more"}
    )
