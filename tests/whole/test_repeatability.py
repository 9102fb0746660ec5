"""The same from scratch gives the same: rows, words, figures and vectors, for another user, elsewhere, another day."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from elsewhere import AGAIN
from safetensors.numpy import load_file
from workbook.corpora import corpora
from workbook.embedding import encoders
from workbook.evaluation.metrics import METRICS

# float32 has 7 digits; texts are padded to the longest of their batch, and then sums are added in another order.
# Measured: 1.1e-7 (MiniLM), 4.6e-8 (tiny-transformer), 0 (static models).
ROUNDING = 5e-7  # of a vector's length
TIMED = {name: metric.label for name, metric in METRICS.items() if not metric.repeats}
WORDS = {"seconds", *TIMED, *TIMED.values(), *(label.split(",")[0] for label in TIMED.values())}  # of what takes time
NAMED = ["model", "dimension", "setting"]
pytestmark = pytest.mark.slow


def rows_of(folder, notebook):
    return pd.read_csv(folder / "data" / "results" / "runs" / "smoke" / f"{notebook}.csv", dtype=str, na_filter=False)


def drawn(rows):
    """Keys of measurements that the engine's chance decides: which of equal scores it leaves out, in each build anew.

    One-bit codes give equal scores. Where a search sees all of those, exact or full-ef, they are put in order.
    """
    ties = rows[(rows["metric"] == "tie rate@10") & (rows["value"].replace("", "0").astype(float) > 0)]
    tied = rows[NAMED].apply(tuple, axis=1).isin(set(ties[NAMED].apply(tuple, axis=1)))
    return set(rows["key"][tied & ~rows["search"].isin(["", "exact", "full-ef"])]) - {""}


def comparable(rows):
    """Rows with the values that must repeat; of a time only that it is there, and how often it was taken."""
    chance = drawn(rows)
    moves = rows["metric"].isin(TIMED) | rows["key"].isin(chance)
    rows = rows.copy()
    rows.loc[moves, ["value", "low", "high", "standard_error"]] = ""
    if chance:  # the ends of a difference are adjusted for all of its family, and one family is of such searches
        family = (rows["metric"] == "ndcg@10 difference") & ~rows["search"].isin(["", "exact", "full-ef"])
        rows.loc[family, ["low", "high"]] = ""
    return rows


def outputs_of(folder, notebook):
    content = json.loads((folder / "reports" / "smoke" / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    return [output for cell in content["cells"] for output in cell.get("outputs", [])]


def is_timed(header):
    return bool(header) and any(words.startswith(header) for words in WORDS)


def words_of(output):
    """What an output says, without the columns and captions of times."""
    if "text" in output:
        return "".join(output["text"])
    data = output["data"]
    if "image/png" in data:
        said = output["metadata"]["image/png"]["alt"]
        return "" if any(word in said for word in WORDS) else said
    if "text/html" not in data:
        return "".join(data["text/plain"])
    table = BeautifulSoup("".join(data["text/html"]), "html.parser").table
    rows = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
    timed = {
        len(rows[0]) - place for place, cell in enumerate(rows[0]) if is_timed(cell.get_text().strip())
    }  # from the right:
    said = [[cell.get_text() for place, cell in enumerate(row) if len(row) - place not in timed] for row in rows]
    return "\n".join([" | ".join(row) for row in said] + [table.caption.get_text() if table.caption else ""])


def pictures_of(folder, notebook):
    """Each figure's picture and what it shows."""
    found = [output for output in outputs_of(folder, notebook) if "image/png" in output.get("data", {})]
    return [(output["data"]["image/png"], output["metadata"]["image/png"]["alt"]) for output in found]


@pytest.fixture(scope="module")
def both(smoke_run, elsewhere):
    """The folders of two runs from scratch."""
    assert smoke_run[0] == 0
    return smoke_run[1], elsewhere.folder


@pytest.mark.parametrize("notebook", AGAIN)
def test_rows_repeat_to_the_last_digit_keys_included(both, notebook):
    one, other = (comparable(rows_of(folder, notebook)) for folder in both)
    pd.testing.assert_frame_equal(one, other)
    scores = one[~one["metric"].isin(TIMED)]
    assert (scores["value"] != "").mean() > 0.5, "most of it was compared"


@pytest.mark.parametrize("notebook", [name for name in AGAIN if not name.startswith("04")])  # it tells what is drawn
def test_words_and_figures_repeat_but_for_times(both, notebook):
    one, other = ([words_of(output) for output in outputs_of(folder, notebook)] for folder in both)
    assert one == other
    same = 0
    for (picture, said), (again, _) in zip(*(pictures_of(folder, notebook) for folder in both), strict=True):
        if not any(word in said for word in WORDS):
            assert picture == again, said
            same += 1
    assert same, "no figure was compared"


def test_a_score_that_moves_would_be_seen(both):
    rows = rows_of(both[0], "03_matryoshka_dimensions")
    for metric, seen in (("ndcg@10", True), ("latency ms", False)):
        moved = rows.copy()
        place = moved.index[moved["metric"] == metric][0]
        moved.loc[place, "value"] += "1"
        assert comparable(moved).equals(comparable(rows)) is not seen


def test_models_trained_again_are_the_same_files(both):
    files = {file.relative_to(both[1]) for file in (both[1] / "data" / "models").rglob("*.safetensors")}
    trained = {file for file in files if "custom-sample" in str(file)}
    assert len(trained) > 5
    for file in files:
        one, other = (load_file(folder / file) for folder in both)
        # the tiny models are made by a decomposition, whose last bits depend on how threads share the work
        most = 0 if file in trained else ROUNDING
        assert all(np.abs(one[name] - other[name]).max() <= most for name in one), file


def test_files_are_as_open_as_each_user_has_it(both):
    umask = os.umask(0)
    os.umask(umask)
    for folder, closed in zip(both, (umask, 0o077), strict=True):
        for name in ("data", "reports", "figures"):
            for file in (folder / name).rglob("*"):
                wanted = (0o777 if file.is_dir() else 0o666) & ~closed
                assert file.stat().st_mode & 0o777 == wanted, file


@pytest.mark.parametrize("name", ["tiny-static", "tiny-transformer"])
def test_a_vector_hardly_depends_on_what_else_is_in_its_batch(data, name):
    encoder, texts = encoders.load(name), corpora.load("sample").document_texts[:20]
    texts += [" ".join(texts[: 1 + number % 4]) for number in range(1, 30)]  # of many lengths
    alone = encoder.encode(texts, batch_size=1)
    order = np.random.default_rng(0).permutation(len(texts))
    most = (0 if encoder.kind == "static" else ROUNDING) * np.linalg.norm(alone, axis=1, keepdims=True)
    for batch_size in (1, 7, 8, 256):
        vectors = encoder.encode([texts[place] for place in order], batch_size=batch_size)
        assert (np.abs(vectors - alone[order]) <= most[order]).all(), batch_size
    assert (encoder.encode([texts[place] for place in order], batch_size=batch_size) == vectors).all()
