"""Two things of one name are told apart by their content: corpora, models, runs, rows, files of figures."""

import json
import shutil

import pandas as pd
import pytest
from published_run import publish, rows
from workbook.conclusions import run_rows
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.evaluation import results
from workbook.figures import plots
from workbook.names import Names, short
from workbook.runs import outcomes

NOTEBOOK = "03_matryoshka_dimensions"


@pytest.fixture
def two_corpora(beir_folder, tmp_path):
    """Folders a/docs and b/docs of different documents."""
    folders = [tmp_path / side / "docs" for side in "ab"]
    for folder in folders:
        shutil.copytree(beir_folder, folder)
    with (folders[1] / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"_id": "d4", "title": "Ice", "text": "It floats."}) + "\n")
    return [str(folder) for folder in folders]


@pytest.fixture
def two_models(tmp_path):
    folders = [str(tmp_path / side / "model") for side in "ab"]
    for folder, name in zip(folders, ("tiny-static", "tiny-transformer"), strict=True):
        encoders.load(name).model.save(folder)
    return folders


def test_the_first_keeps_its_name_and_another_content_is_shown_with_its_hash():
    names = Names(reserved=["BM25"])
    assert [names.shown("docs", each) for each in ("aaaaaaaaaa", "bbbbbbbbbb", "aaaaaaaaaa")] == [
        "docs", "docs (bbbbbbbb)", "docs"
    ]  # fmt: skip
    assert names.shown("BM25", "sha256:cccccccccc") == "BM25 (cccccccc)"
    assert names.content("docs (bbbbbbbb)") == "bbbbbbbbbb" and names.content("nobody") == ""


def test_two_corpora_in_folders_of_one_name_are_two(two_corpora):
    first, second = map(corpora.load, two_corpora)
    assert first.name == "docs" and second.name == f"docs ({short(second.sha256)})"
    assert first.slug == f"docs-{short(first.sha256)}" and second.slug == f"docs-{short(second.sha256)}"
    assert corpora.load(two_corpora[0]).name == "docs"
    assert corpora.load("sample").slug == "sample"


def test_a_folder_called_as_a_registered_corpus_is_not_that_one(beir_folder):
    for name in ("sample", "scifact"):
        corpus = corpora.load(str(beir_folder.rename(beir_folder.with_name(name))))
        assert corpus.name == f"{name} ({short(corpus.sha256)})" and corpus.slug != name
        beir_folder = beir_folder.with_name(name)


def test_two_models_in_folders_of_one_name_are_two(two_models):
    first, second = map(encoders.load, two_models)
    assert first.name == "model" and second.name == f"model ({short(second.revision)})"
    assert first.identity("query")["model"] == second.identity("query")["model"] == "model"
    assert first.identity("query")["revision"] != second.identity("query")["revision"]
    assert encoders.load(two_models[0]).name == "model"


def test_runs_of_two_folders_of_one_name_are_two(two_corpora, two_models):
    names = {outcomes.run_name("smoke", {"corpus": corpus}) for corpus in two_corpora}
    names |= {outcomes.run_name("smoke", {"static_model": model}) for model in two_models}
    names |= {outcomes.run_name("smoke", {"static_model": f"{owner}/model@main"}) for owner in "ab"}
    assert len(names) == 6
    before = outcomes.run_name("smoke", {"corpus": two_corpora[0]})
    assert before == outcomes.run_name("smoke", {"corpus": two_corpora[0]})
    (corpora.Path(two_corpora[0]) / "corpus.jsonl").write_text("{}")
    assert before != outcomes.run_name("smoke", {"corpus": two_corpora[0]}), "edited, it is another corpus"
    assert outcomes.run_name("smoke", {"corpus": "python-docs:600"}) == "smoke+python-docs:600"


def test_rows_say_which_content_a_name_stands_for(data, two_corpora, two_models):
    on, models = [corpora.load(each) for each in two_corpora], [encoders.load(each) for each in two_models]
    frame = pd.DataFrame(
        [{"corpus": c.name, "model": m.name, "metric": "ndcg@10", "value": 0.5} for c in on for m in models]
        + [{"corpus": "elsewhere", "metric": "ndcg@10", "value": 0.5}]
    )
    results.publish(NOTEBOOK, frame)
    read = results.read_rows(results.published_file(results.run_name(), NOTEBOOK))
    assert read["corpus_sha256"].iloc[:4].tolist() == [c.sha256 for c in on for _ in models]
    assert read["model_revision"].iloc[:4].tolist() == [m.revision for _ in on for m in models]
    assert read[["corpus_sha256", "model_revision"]].iloc[4].isna().all()


def test_rows_of_another_corpus_of_the_same_name_are_left_out(data, monkeypatch):
    """As after an edit of its folder between two notebooks of one run."""
    publish(monkeypatch)
    edited = rows()[NOTEBOOK].assign(corpus_sha256="e" * 64)
    results.publish(NOTEBOOK, edited)
    found = run_rows.read("made")
    [problem] = found.problems
    assert problem.startswith(f"{NOTEBOOK} was run on another corpus than the rest (made eeeeeeee, not made)")
    assert NOTEBOOK not in set(found.rows["notebook"])


def test_rows_of_another_model_of_the_same_name_are_left_out(data, monkeypatch):
    publish(monkeypatch)
    for notebook, frame in rows().items():
        revision = "b" * 40 if notebook == NOTEBOOK else "a" * 40
        results.publish(notebook, frame.assign(model_revision=revision).where(frame["model"].notna(), frame))
    found = run_rows.read("made")
    [problem] = found.problems
    assert problem.startswith(f"{NOTEBOOK} was run with another model called fast than the rest (revision {'b' * 19},")
    assert NOTEBOOK not in set(found.rows["notebook"])


def test_figures_of_two_corpora_are_two_files(data, two_corpora, monkeypatch):
    monkeypatch.setattr(plots.paths, "FIGURES", data / "figures")
    for place in two_corpora:
        plots.save(plots.plt.figure(), corpora.load(place).slug, "owner/model")
    assert len(list((data / "figures").iterdir())) == 2
