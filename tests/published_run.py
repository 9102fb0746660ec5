"""A run whose rows and measurements are made up, so that the answers to it are known."""

import numpy as np
import pandas as pd
from workbook.conclusions import run_rows
from workbook.evaluation import results, statistics
from workbook.on_demand.signals import SIGNALS

N = 100  # queries
SCORES = {  # mean NDCG@10 of each way to search; queries differ alike in all of them
    "BM25": 0.60, "slow": 0.62, "slow + BM25 (rrf)": 0.68, "slow + BM25 (dbsf)": 0.70,
    "fast": 0.40, "fast + BM25 (rrf)": 0.61, "fast + BM25 (dbsf)": 0.62,
    "trained": 0.63, "trained + BM25 (rrf)": 0.66, "trained + BM25 (dbsf)": 0.67,
    "static query": 0.61, "static query + BM25 (rrf)": 0.65, "static query + BM25 (dbsf)": 0.665,
}  # fmt: skip
MODELS = {"fast": "fast", "slow": "slow", "trained": "custom-made-1", "static query": "custom-made-queries-1"}


def scores(label: str, rng_seed: int = 1) -> np.ndarray:
    """Scores whose difference between two ways is nearly the same for all queries."""
    query = np.random.default_rng(0).uniform(-0.3, 0.3, N)
    noise = np.random.default_rng(rng_seed + sum(map(ord, label))).normal(0, 0.01, N)
    return (SCORES[label] + query + noise - noise.mean() - query.mean()).clip(0, 1)


def size_of(label: str) -> float:
    return 100.0 if label == "BM25" else 1600.0


def baselines(
    notebook: str,
    labels: list[str],
    corpus: str = "sha",
    setting: str = "float32",
    has_bytes: bool = True,
    computed: bool = False,
) -> pd.DataFrame:
    """Measure and give the rows of ways to search; a model's is slow or fast by its name."""
    ways = [
        {
            "label": label, "judgements": {"ndcg@10": scores(label).tolist()}, "queries": 4,
            "searched_bytes": size_of(label) if has_bytes else None, "searching": [0.01] * 3,
            **({"bytes_computed": True} if computed else {}),
            "latency": [0.02 if "slow" in label else 0.001] * 4,
            "indexing": [0.04, 0.05, 0.06] if label.startswith(("slow", "static")) else [0.0004, 0.0005, 0.0006],
        }
        for label in labels
    ]  # fmt: skip
    record = results.remember(
        "baselines", {"corpus": corpus, "notebook": notebook, "documents": 1_000}, lambda: {"ways": ways}
    )
    found = []
    for label in labels:
        model = next((name for start, name in MODELS.items() if label.startswith(start)), None)
        names = {"corpus": "made", "method": label, "key": record["key"], "model": model}
        stored = {"setting": setting, "search": "exact"} if model else {}
        found.append({**names, **stored, "metric": "indexed documents/s", "value": 2_000.0})
    return pd.DataFrame(found)


def asked_again(content: str = "sha") -> pd.DataFrame:
    """Rows of notebook 07, and the searches that they name: those whose top scores are lowest gain most."""
    labels = "static query + BM25 (dbsf)", "slow + BM25 (dbsf)"
    first, second = map(scores, labels)
    order = np.argsort(np.argsort(first - second)).astype(float)
    asked = {"queries": list(range(N)), "signals": dict.fromkeys(SIGNALS, order.tolist())}
    values = {
        "queries": {**asked, "first": first.tolist(), "second": second.tolist()}, "items": None,
        "seconds": {"first": [[0.001]], "signals": [[0.001]], "second": [[0.02]]},
    }  # fmt: skip
    about = {"corpus": content, "methods": [{"label": label} for label in labels]}
    record = results.remember("attention", about, lambda: values)
    facts = {"corpus": "made", "method": labels[0], "against": labels[1], "asked": 0.3, "key": record["key"]}
    return pd.DataFrame([{**facts, "metric": "ndcg@10 difference", "value": -0.01, "n": N}])


def row(metric: str, value: float, low: float = np.nan, high: float = np.nan, n: int = N, **facts: object) -> dict:
    return {"corpus": "made", "metric": metric, "value": value, "low": low, "high": high, "n": n, **facts}


def compared(value: float, **facts: object) -> list[dict]:
    """Row of a difference to the whole vector, certain to 0.004."""
    interval = {"low": value - 0.004, "high": value + 0.004, "standard_error": 0.002}
    return [row("ndcg@10 difference", value, model="fast", **interval, **facts)]


def rows(content: str = "sha") -> dict[str, pd.DataFrame]:
    """Rows of every notebook, of a corpus with that content."""
    whole = {"model": "fast", "dimension": 64, "search": "exact", "setting": "float32", "key": "ce11"}
    with_bm25 = [label for label in SCORES if not label.startswith(("trained", "static"))]
    speed = [
        row("speed-up", value, 0.9 * value, 1.1 * value, 3, model="fast", key="5eed", words=words,
            max_tokens=max_tokens, threads=threads, against=against, against_model="slow")
        for value, words, max_tokens, threads, against in [
            (50.0, 8, 256, 2, "slow"),
            (40.0, 8, 256, 2, "slow (int8)"),
            (300.0, 160, 256, 2, "slow"),
            (2.0, 160, 256, 1, "slow"),
            (1.5, 160, None, 2, "slow"),
        ]
    ]  # fmt: skip
    cuts, settings = [], []
    for dimension, value in [(32, -0.003), (16, -0.1)]:
        cuts += compared(value, dimension=dimension, search="exact", setting="float32", key=f"c{dimension}")
    for setting, search, value in [
        ("scalar-int8", "default-ef", 0.0), ("binary", "default-ef", -0.2), ("binary", "rescore-x3", -0.001),
        ("binary", "rescore-x2", -0.01),
    ]:  # fmt: skip
        settings += compared(value, dimension=64, setting=setting, search=search, key=f"q{setting}")
    sizes = [
        row("bytes per vector", size, model="fast", dimension=64, setting=setting, search=search)
        for setting, search, size in [
            ("float32", "exact", 256), ("scalar-int8", "full-ef", 68), ("binary", "full-ef", 16)
        ]
    ]  # fmt: skip
    chosen = {"scenario": "smallest", "part": statistics.REPORTED, "margin": 0.02}
    chosen["note"] = "not confirmed, not settled (margin 0.02)"
    trained = {"setting": "float32", "search": "exact", "dimension": 64, "model": "custom-made-1", "method": "trained"}
    distilled = {**trained, "method": "distilled", "against": "trained"}
    return {
        "01_static_vs_transformer": pd.concat([
            baselines("01", with_bm25, content),
            pd.DataFrame([
                row("share kept", 0.645, 0.62, 0.67, model="fast", against="slow"),
                row("ndcg@10 difference", -0.22, -0.23, -0.21, model="fast", against="slow"),
                row("ndcg@10", 0.4, 0.39, 0.41, **whole),
                *(row("megabytes", size, n=1, model=model) for model, size in [("fast", 30.0), ("slow", 90.0)]),
            ]),
        ]),
        "02_encoding_speed": pd.DataFrame(speed),
        "03_matryoshka_dimensions": pd.DataFrame([*cuts, row("bytes per vector", 256, **whole)]),
        "04_quantization_vs_ndcg": pd.DataFrame([*settings, *sizes]),
        "05_train_your_own": pd.concat([
            baselines("05", list(SCORES)[:4] + list(SCORES)[7:], content),
            pd.DataFrame([
                row("training seconds", 31.0, n=1, model="custom-made-1"),
                row("ndcg@10 difference", -0.23, -0.25, -0.21, key="d1", **distilled),
                row("ndcg@10 difference", 0.01, -0.01, 0.03, against="slow", key="d2", **trained),
                row("ndcg@10 over seeds", 0.63, 0.62, 0.64, n=2, **trained),
                row("megabytes", 20.0, n=1, model="custom-made-1"),
                row("megabytes", 15.0, n=1, model="custom-made-queries-1"),
            ]),
        ]),
        "07_when_to_pay_attention": asked_again(content),
        "06_your_data": pd.DataFrame([
            row("ndcg@10 difference", 0.0, -0.03, 0.01, model="fast", dimension=64, setting="binary",
                search="rescore-x3", key="0a0a", **chosen)
        ]),
    }  # fmt: skip


def publish(monkeypatch, run: str = "made", without: tuple[str, ...] = (), corpus: str = "made") -> None:
    """Publish the rows of all notebooks but some, as that run."""
    monkeypatch.setenv("WORKBOOK_RUN", run)
    for notebook, frame in rows("sha" if corpus == "made" else corpus).items():
        if notebook not in without:
            results.publish(notebook, frame.assign(corpus=corpus))


def publish_several(monkeypatch, changes: dict[str, dict[str, float]], run: str = "many") -> None:
    """Publish a run of several corpora, by name: those of SCORES that are other ones there."""
    for corpus, changed in changes.items():
        with monkeypatch.context() as patch:
            for label, score in changed.items():
                patch.setitem(SCORES, label, score)
            publish(patch, f"{run}/{corpus}", corpus=corpus)
    run_rows.write_members(run, {f"{run}/{corpus}": "" for corpus in changes})
