"""The real notebooks, run by the real runner on the smoke profile: their values, their looks, and their second run."""

import csv
import json
import random
import re
from itertools import product

import nbformat
import pytest
import yaml
from workbook import paths
from workbook.corpora import corpora
from workbook.embedding import encoders, runtimes, variants
from workbook.evaluation import results, statistics
from workbook.names import ACROSS
from workbook.runs import parts, plan, runner
from workbook.runs.parts import Part

HYBRID = (" + BM25 (rrf)", " + BM25 (dbsf)")
EVERY = sorted(file.stem for file in paths.NOTEBOOKS.glob("0*.ipynb"))
NOTEBOOKS = [name for name in EVERY if name != ACROSS]  # those of a run of one corpus


def rows_of(notebook):
    return results.read_rows(results.published_file("smoke", notebook))


def value(rows, **facts):
    for column, wanted in facts.items():
        rows = rows[rows[column] == wanted]
    assert len(rows) == 1, facts
    return rows["value"].iloc[0]


def outputs_of(folder, notebook):
    executed = nbformat.read(folder / "reports" / "smoke" / f"{notebook}.ipynb", as_version=4)
    return [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]


def test_all_notebooks_end_well(smoke):
    exit_code, folder = smoke
    assert exit_code == 0
    assert sorted(file.stem for file in (folder / "reports" / "smoke").iterdir()) == NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_no_warning_or_progress_noise(smoke, notebook):
    outputs = outputs_of(smoke[1], notebook)
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert not [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    text = json.dumps(outputs)
    assert "Warning" not in text
    assert str(paths.ROOT) not in text


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_tables_figures_and_what_ran_are_shown(smoke, notebook):
    outputs = outputs_of(smoke[1], notebook)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    what_ran = "smoke" if notebook.startswith("08") else corpora.load("sample").sha256[:16]
    assert what_ran in json.dumps(outputs), "it must be said what ran"


def test_figures_are_written(smoke):
    names = {"one-word-two-meanings", "matryoshka", "quantization", "pareto", "waterfall"}
    names |= {"encoding-speed", "encode-and-index", "growth", "one-query"}
    names |= {"oversampling", "heat-map-tiny-static", "heat-map-tiny-transformer"}
    names |= {"training", "training-steps", "training-matryoshka"}
    names |= {"baselines", "training-baselines", "on-demand", "your-baselines", "your-settings"}
    names |= {"answer", "answer-comparisons"}
    assert {file.name for file in (smoke[1] / "figures").iterdir()} == {f"sample-{name}.png" for name in names}


def test_01_measures_quality_and_the_share_kept(smoke):
    rows = rows_of("01_static_vs_transformer")
    static = value(rows, model="tiny-static", dimension=64, metric="ndcg@10")
    transformer = value(rows, model="tiny-transformer", dimension=64, metric="ndcg@10")
    assert 0.5 < transformer < static < 0.9, "latent semantic analysis beats random attention on the sample"
    assert value(rows, metric="share kept") == pytest.approx(static / transformer)
    compared = rows[rows["method"].isna()]
    difference = value(compared, against="tiny-transformer", metric="ndcg@10 difference")
    assert difference == pytest.approx(static - transformer)
    assert value(rows, model="tiny-static", metric="parameters") % 64 == 0


def test_01_has_bm25_alone_and_with_each_model(smoke):
    rows = rows_of("01_static_vs_transformer")
    labels = ["BM25", "BM25 (length in tokens)"]
    labels += [f"{model}{how}" for model in ("tiny-static", "tiny-transformer") for how in ("", *HYBRID)]
    found = rows[(rows["metric"] == "ndcg@10") & rows["dimension"].isna()]
    assert sorted(found["method"]) == sorted(labels)
    times = rows[rows["metric"].isin(["queries/s with encoding", "latency ms with encoding", "indexed documents/s"])]
    assert len(times) == 3 * len(labels) and (times["low"] <= times["high"]).all()
    assert value(rows, metric="ndcg@10 difference", method="BM25", against="tiny-transformer") == pytest.approx(
        value(found, method="BM25") - value(found, method="tiny-transformer")
    )


def test_01_tells_what_can_be_told_before_judging(smoke):
    rows = rows_of("01_static_vs_transformer")
    assert value(rows, metric="words per query") == 8
    assert 0 < value(rows, metric="top ten in common", model="tiny-static", against="tiny-transformer") < 1
    found = [
        value(rows, metric="known-item ndcg@10", method=name) for name in ("tiny-static", "tiny-transformer", "BM25")
    ]
    assert value(rows, metric="known-item share kept") == pytest.approx(found[0] / found[1])
    assert "the best ten documents of a query" in json.dumps(outputs_of(smoke[1], "01_static_vs_transformer"))


def test_02_gives_every_time_its_range_and_repeats(smoke):
    rows = rows_of("02_encoding_speed")
    timed = rows[rows["metric"].isin(["texts/s", "tokens/s", "speed-up", "load seconds", "first text ms"])]
    assert len(timed) > 40
    assert (timed["n"] == 2).all()
    assert ((timed["low"] <= timed["value"]) & (timed["value"] <= timed["high"]) & (timed["value"] > 0)).all()
    assert {"tiny-transformer (bfloat16)", "tiny-transformer (int8)"} <= set(timed["model"])
    timed = ["model", "words", "max_tokens", "threads"]
    shares = rows[rows["metric"].str.endswith(" share")].drop_duplicates([*timed, "metric"])
    assert (shares.groupby(timed)["low"].sum() < 1).all() and shares[timed].notna().all(axis=None)


def test_02_tells_of_each_form_its_vectors_its_score_and_one_query_or_why_not(smoke):
    rows, text = rows_of("02_encoding_speed"), json.dumps(outputs_of(smoke[1], "02_encoding_speed"))
    by_metric = {metric: set(own["model"]) for metric, own in rows.groupby("metric")}
    ran, not_run = by_metric["least cosine"], by_metric["form not run"]
    forms = variants.every("transformer")
    every = {"tiny-transformer" if form == "float32" else f"tiny-transformer ({form})" for form in forms}
    assert ran | not_run == every and not ran & not_run
    assert {f"tiny-transformer ({form})" for form in ("bfloat16", "int8")} <= ran
    assert (
        rows[rows["metric"] == "form not run"]["note"].isin(["no GPU here", f"not installed: {runtimes.COMMAND}"]).all()
    )
    assert ran <= by_metric["ndcg@10"] & by_metric["one query ms"] & by_metric["texts/s"]
    assert ran - {"tiny-transformer"} <= by_metric["ndcg@10 difference"]
    parts = rows[rows["metric"] == "one query ms"].pivot_table(index="model", columns="part", values="value")
    assert (parts["from text to documents"] > parts["encoding in all"]).all() and "takes Qdrant" in text
    assert by_metric["kWh per million, computed"] == {"tiny-static", *ran}
    assert "times as many a second as tiny-transformer" in text and "as measured elsewhere" in text.lower()
    speeds = rows[(rows["metric"] == "speed-up") & rows["against"].isin(ran)]
    assert (speeds["note"] == (results.instruction_set() or None)).all()


def test_02_encodes_stores_and_indexes_at_each_size(smoke):
    rows = rows_of("02_encoding_speed")
    seconds = rows[rows["metric"] == "phase seconds"].fillna({"variant": ""})
    runs = {which: own.set_index("part")["value"] for which, own in seconds.groupby(["documents", "variant"])}
    assert set(runs) == {*product((500, 1_000, 2_000), [""]), (2_000, "library's tokenization")}
    for own in runs.values():
        assert own[["encode", "upsert", "index"]].sum() == pytest.approx(own["total"], rel=0.02)
    assert set(rows[rows["metric"] == "growth exponent"]["n"]) == {6}, "three sizes, twice"
    precision = rows[rows["metric"] == "ann precision@10"]
    assert precision["value"].between(0.5, 1).all()


def test_02_answers_every_claim_and_plans(smoke):
    text = json.dumps(outputs_of(smoke[1], "02_encoding_speed"))
    claims = ("about 400 times as fast", "15 times smaller", "7.5 minutes", "bge-base-en-v1.5", "32.9 million passages")
    assert all(word in text for word in claims)
    rows = rows_of("02_encoding_speed")
    ram = rows[rows["metric"] == "extrapolated RAM GB"].set_index(["scenario", "setting"])["value"]
    assert ram["MS MARCO", "binary"] < ram["MS MARCO", "float32"]


def test_02_stores_the_model_in_smaller_forms(smoke):
    rows = rows_of("02_encoding_speed")
    sizes = rows[rows["metric"] == "embedding megabytes"].set_index("setting")["value"]
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]
    assert any(name.startswith("vocabulary") for name in sizes.index)


def test_rows_say_on_which_machine(smoke):
    for notebook in NOTEBOOKS:
        facts = json.loads(results.published_file("smoke", notebook).with_suffix(".machine.json").read_text())
        assert {"cpu", "cores", "ram_gb", "packages", "published"} <= set(facts)


def test_03_has_a_row_for_each_dimension_and_float32_bytes(smoke):
    rows = rows_of("03_matryoshka_dimensions")
    for model in ("tiny-static", "tiny-transformer"):
        for dimension in (64, 32, 16):
            facts = {"model": model, "dimension": dimension, "search": "exact"}
            assert value(rows, metric="bytes per vector", **facts) == 4 * dimension
            assert 0.2 < value(rows, metric="ndcg@10", **facts) < 0.9
    whole, cut = (value(rows, model="tiny-static", dimension=d, search="exact", metric="ndcg@10") for d in (64, 16))
    assert value(rows, model="tiny-static", dimension=16, metric="ndcg@10 difference") == pytest.approx(cut - whole)


def test_04_shows_the_loss_and_what_rescoring_wins_back(smoke):
    rows = rows_of("04_quantization_vs_ndcg")
    rows = rows[(rows["dimension"] == 64) & rows["setting"].notna()]
    scores = rows[(rows["model"] == "tiny-static") & (rows["metric"] == "ndcg@10")]
    exact, codes, rescored = (
        value(scores, setting=setting, search=search)
        for setting, search in [("float32", "exact"), ("binary", "full-ef"), ("binary", "rescore-x2")]
    )
    assert codes < rescored == pytest.approx(exact, abs=0.03), "rescoring twenty of the sample wins most of it back"
    sizes = rows[(rows["metric"] == "bytes per vector") & (rows["search"] == "full-ef")]
    assert set(sizes["setting"]) == {"float32", "scalar-int8", "binary-2bit", "turbo-1bit", "binary"}
    assert value(sizes, model="tiny-static", setting="binary") == 16


def test_04_gives_every_cell_a_verdict_and_compares_with_the_published(smoke):
    text = json.dumps(outputs_of(smoke[1], "04_quantization_vs_ndcg"))
    assert all(word in text for word in ("not settled", "worse", "Nobody has published a score of sample"))
    assert "equal within" not in text, "of 25 queries"
    rows = rows_of("04_quantization_vs_ndcg")
    assert {f"tiny-static{how}" for how in HYBRID} < set(rows["method"])
    rows = rows[rows["dimension"].notna()]
    compared = rows[rows["metric"] == "ndcg@10 difference"]
    cells = rows[(rows["metric"] == "ndcg@10") & rows["setting"].notna()]
    assert len(compared) == len(cells) - 4, "all but what is searched exactly"
    assert (compared["low"] <= compared["value"]).all() and (compared["value"] <= compared["high"]).all()
    assert rows[rows["metric"] == "ann precision@10"]["value"].between(0, 1).all()
    assert "recall@100" not in set(rows["metric"])


def test_05_trains_and_gets_better_than_its_start(smoke):
    rows = rows_of("05_train_your_own")
    rows = rows[rows["setting"] == "float32"]
    scores = rows[rows["metric"] == "ndcg@10"].drop_duplicates("method").set_index("method")["value"]
    assert scores["with test labels"] > scores["start of training"], "without labels 52 documents teach little"
    others = {"with a teacher", "average of the seeds", "with test labels", "45 documents"}
    assert others <= set(scores.index)
    seeds = rows[(rows["metric"] == "ndcg@10 over seeds") & (rows["method"] == "trained")].iloc[0]
    assert seeds["low"] < seeds["value"] < seeds["high"]
    assert seeds["n"] == 2


def test_05_compares_with_bm25_beside(smoke):
    rows = rows_of("05_train_your_own")
    fused = rows["method"].isin([f"trained{how}" for how in HYBRID])
    compared = rows[fused & (rows["against"] == "tiny-transformer")]
    assert set(compared["metric"]) == {"ndcg@10 difference"} and (compared["n"] == 25).all() and len(compared) == 2


def test_05_leaves_models_that_load_by_name(smoke):
    rows = rows_of("05_train_your_own")
    model = rows[rows["method"] == "trained"]["model"].iloc[0]
    assert model.startswith("custom-sample-")
    assert encoders.load(model).encode(["where can I borrow money"]).shape == (1, 64)
    seconds = rows[(rows["model"] == model) & (rows["metric"] == "training seconds")]["value"]
    assert len(seconds) == 1


def test_06_measures_settings_and_an_existing_shard(smoke):
    rows = rows_of("06_your_data")
    precision = rows[rows["metric"] == "ann precision@10"].set_index(["variant", "search"])["value"]
    assert precision["as it stands", "untold"] == precision["copy, rebuilt", "untold"] == 1
    assert precision["copy, binary", "default-ef"] < precision["copy, binary", "rescore-x3"]
    cells = rows[(rows["metric"] == "ann precision@10") & rows["variant"].isna()]
    assert value(cells, setting="float32", search="exact") == 1
    assert value(cells, setting="binary", search="full-ef") < value(cells, setting="scalar-int8", search="full-ef")


def test_06_recommends_nothing_by_25_queries_and_says_what_would_decide(smoke):
    printed = " ".join(output.get("text", "") for output in outputs_of(smoke[1], "06_your_data"))
    text = " ".join(printed.split())
    assert "25 queries are too few" in text and "300 are the least" in text and "no code" in text
    assert "client.create_collection(" not in text
    rows = rows_of("06_your_data")
    assert rows["scenario"].isna().all() and statistics.REPORTED not in set(rows["part"])


def test_07_asks_the_weakest_queries_again(smoke):
    rows = rows_of("07_when_to_pay_attention")
    first, second = "static query + BM25 (dbsf)", "tiny-transformer + BM25 (dbsf)"
    curve = rows[(rows["method"] == first) & (rows["metric"] == "ndcg@10") & (rows["variant"] == "signals combined")]
    others = rows_of("05_train_your_own")
    for asked, label in ((0, first), (1, second)):
        assert value(curve, asked=asked) == pytest.approx(others_ndcg(others, label))
    asked = rows[rows["metric"] == "queries asked again"].set_index("scenario")["value"]
    assert {"30% of known items", "known items lose less than 0.01", "30% of earlier queries"} == set(asked.index)
    never, some, _ = rows[(rows["metric"] == "mean query ms") & (rows["method"] == first)].sort_values("asked")["value"]
    assert never < some, "some of the queries are searched twice"
    text = json.dumps(outputs_of(smoke[1], "07_when_to_pay_attention"))
    assert "On sample, tiny-transformer is needed for" in text and "client.query_batch_points" in text


def others_ndcg(rows, label):
    """The score that the method of notebook 05 has of the measurement that its rows name."""
    key = rows[(rows["method"] == label) & (rows["metric"] == "indexed documents/s")]["key"].iloc[0]
    [found] = [each for each in results.read("baselines", key)["values"]["ways"] if each["label"] == label]
    return sum(found["judgements"]["ndcg@10"]) / len(found["judgements"]["ndcg@10"])


def test_08_answers_every_question_from_the_rows(smoke):
    outputs = outputs_of(smoke[1], "08_should_you_pay_attention")
    text = json.dumps(outputs, ensure_ascii=False)
    assert "Nothing is missing." in text and "Not measured" not in text
    kept = value(rows_of("01_static_vs_transformer"), metric="share kept")
    assert f"tiny-static keeps {kept:.0%}" in text
    rows = rows_of("05_train_your_own")
    assert "trained static + BM25 against tiny-transformer + BM25: " in text
    trained = value(
        rows, method="trained", against="tiny-transformer", setting="float32", dimension=64,
        metric="ndcg@10 difference",
    )  # fmt: skip
    shown = f"{trained:+.3f}".replace("-", "\N{MINUS SIGN}")
    assert f"against tiny-transformer it is {shown}" in text, "mean over the seeds"


def test_08_decides_for_each_place_by_half_of_the_queries(smoke):
    rows = rows_of("08_should_you_pay_attention")
    places = set(plan.declared_parameters("08_should_you_pay_attention")["places"])
    assert set(rows["scenario"]) == places
    reported = rows[rows["metric"] == "ndcg@10"]
    assert len(reported) == len(places) and (reported["n"] == 13).all(), "25 queries: 12 choose, 13 report"
    found = rows[rows["metric"] == "place: memory_mb"]
    memory = dict(zip(found["scenario"], found["value"], strict=True))
    assert memory["embedded device"] < memory["phone"] < memory["server"]


def test_tables_name_the_rows_they_show(smoke):
    for notebook in NOTEBOOKS:
        text = json.dumps(outputs_of(smoke[1], notebook))
        assert re.search(r"Run smoke, \d+ rows: ", text), notebook


def test_figures_say_in_words_what_they_show(smoke):
    for notebook in NOTEBOOKS:
        pictures = [o for o in outputs_of(smoke[1], notebook) if "image/png" in o.get("data", {})]
        for picture in pictures:
            assert results.machine_label() in picture["metadata"]["image/png"]["alt"], notebook


def test_quality_agrees_between_the_notebooks(smoke):
    facts = {"model": "tiny-static", "dimension": 64, "search": "exact", "metric": "ndcg@10"}
    found = {value(rows_of(name), **facts) for name in NOTEBOOKS if name[:2] not in ("02", "07", "08")}
    assert len(found) == 1


@pytest.mark.slow
def test_a_second_run_measures_nothing_again(smoke):
    _, folder = smoke

    def measured():
        files = [file for file in (folder / "data").rglob("*") if file.suffix in (".json", ".npy")]
        return {file: file.stat().st_mtime_ns for file in files if "runs" not in file.parts}

    before = measured()
    assert runner.run("smoke", {}, []) == 0
    assert measured() == before


@pytest.mark.slow
def test_changing_an_expected_value_makes_the_run_exit_1(smoke, tmp_path, capsys):
    content = plan.read(plan.PLAN)
    true = value(
        rows_of("03_matryoshka_dimensions"), model="tiny-static", dimension=64, search="exact", metric="ndcg@10"
    )
    entry = {
        "profile": "smoke", "notebook": "03_matryoshka_dimensions", "metric": "ndcg@10", "tolerance": 1e-6,
        "where": {"model": "tiny-static", "dimension": 64, "search": "exact"},
    }  # fmt: skip
    for wanted, exit_code, verdict in [(true, 0, "OK"), (true + 0.01, 1, "FAIL")]:
        content["expected"] = [{**entry, "value": float(wanted), "tolerance": 1e-6}]
        (tmp_path / "runs.yaml").write_text(yaml.safe_dump(content))
        assert runner.run("smoke", {}, ["03_matryoshka_dimensions"], tmp_path / "runs.yaml") == exit_code
        assert verdict in capsys.readouterr().out


def test_a_profile_needs_no_more_than_its_parameters(tmp_path, beir_folder, monkeypatch):
    monkeypatch.setenv("BEIR_DATA_DIR", str(tmp_path))
    beir_folder.with_name("another").mkdir()
    (beir_folder.with_name("another") / "corpus.jsonl").touch()
    content = plan.read(plan.PLAN)
    claim = {"01_static_vs_transformer", "05_train_your_own", "08_should_you_pay_attention", ACROSS}
    without = {"scale": set(EVERY) - {"02_encoding_speed"}, "suite": {"02_encoding_speed", "06_your_data"}}
    without["default"] = set(EVERY) - claim
    for profile in content["profiles"]:
        planned = parts.of(content, profile, {}, [])
        several = profile in ("suite", "article")
        assert len(planned) == (1 if not several else 3 if profile == "suite" else 5)
        left_out = without.get(profile, set()) | (set() if several else {ACROSS})
        assert sorted({job.notebook for part in planned for job in part.jobs}) == sorted(set(EVERY) - left_out)


@pytest.mark.parametrize("notebook", EVERY)
def test_notebooks_are_committed_as_the_design_wants_them(notebook):
    content = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert content.metadata.kernelspec.name == "python3"
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert len(content.cells) <= 20
    assert content.cells[0].source.startswith("# ") and "?" in content.cells[0].source.splitlines()[0]
    assert "parameters" in code[0].metadata.get("tags", [])
    assigned = [line for line in code[0].source.splitlines() if line[0] not in " }"]  # not inside a dict
    assert all("#" in line or "settings" in line or "searches" in line for line in assigned)
    prose = " ".join(cell.source for cell in content.cells if cell.cell_type == "markdown")
    assert not re.search(r"\d\.\d|\d+ ?(ms|times)\b", prose), "a measured number is typed into prose"


def test_temporary_files_are_gone(smoke):
    assert not list(smoke[1].rglob("*.tmp")) and not list((smoke[1] / "data" / "running").glob("*/*"))


@pytest.mark.slow
def test_06_takes_a_csv_with_odd_columns_to_code_that_runs(tmp_path, monkeypatch):
    for name in ("DATA", "FIGURES", "REPORTS"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
        monkeypatch.setenv(f"WORKBOOK_{name}", str(tmp_path / name.lower()))
    words = sorted({word for text in corpora.load("sample").document_texts for word in re.findall("[a-z]{5,}", text)})
    draw = random.Random(0).sample
    with (tmp_path / "shop.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Nr.", "Überschrift", "Text, ganz"])
        for number in range(300):
            text = draw(words, 12)
            table.writerow([number, " ".join(text[:6]), " ".join(text)])
    columns = {"id": "Nr.", "title": "Überschrift", "text": "Text, ganz"}
    changed = {
        "corpus": str(tmp_path / "shop.csv"), "columns": columns, "static_model": "tiny-static", "margin": 0.05,
        "transformer_model": "", "probes": 30, "settings": ["float32", "scalar-int8"], "repeats": 1,
    }  # fmt: skip
    job = plan.Job("06_your_data", {**plan.declared_parameters("06_your_data"), **changed}, 300)
    assert runner.execute(Part("shop", "", [job]), job).error == ""
    text = json.loads((tmp_path / "reports" / "shop" / "06_your_data.ipynb").read_text())
    printed = ["".join(output.get("text", [])) for cell in text["cells"] for output in cell.get("outputs", [])]
    assert any("shop.csv: all 300 documents; 300 known-item queries: the title of" in output for output in printed)
    assert any(": confirmed, " in " ".join(output.split()) for output in printed)
    code = next(output for output in printed if "import qdrant_edge as edge" in output)
    monkeypatch.chdir(tmp_path)
    exec(re.split(r"\n# .*: qdrant-client\n", code[code.index("import qdrant_edge as edge") :])[0], {})
    assert json.loads((tmp_path / "my-shard" / "edge_config.json").read_text())["vectors"][""]["size"] == 64
