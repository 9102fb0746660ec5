"""Forms side by side: what is told of each, and never how long it took."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from workbook.embedding import encoders, runtimes, variants
from workbook.errors import WorkbookError
from workbook.evaluation import stopwatch
from workbook.experiments import encoder_forms

MODEL = "tiny-transformer"
OURS = "ONNX Runtime float32"


@pytest.fixture(autouse=True)
def pytorch_alone(monkeypatch):
    """No GPU and no other runtime, whatever is installed."""
    monkeypatch.setattr(runtimes, "lacking", lambda name: "not installed: a command")


@pytest.fixture
def another(monkeypatch):
    """A form that stands for a runtime that is installed; the test says what its encoder does."""

    def be(encode):
        make = variants.make

        def made(name, form="float32", cut=None):
            if form != OURS:
                return make(name, form, cut)
            plain = make(name, "float32", cut)
            return SimpleNamespace(
                name=f"{name} ({form})", dimensions=64, encode=lambda texts: encode(plain.encode(texts))
            )

        monkeypatch.setattr(runtimes, "lacking", lambda name: "")
        monkeypatch.setattr(variants, "make", made)

    return be


def told(forms):
    return forms.rows[forms.rows["metric"] == encoder_forms.NOT_RUN].set_index("model")["note"].to_dict()


def test_float32_is_first_and_each_form_is_compared_with_it(sample, folder):
    forms = encoder_forms.ready(sample, MODEL, ["int8", "bfloat16", "float32"], 16)
    assert [each.dtype for each in forms.encoders] == ["float32", "int8", "bfloat16"]
    assert (forms.rows["metric"] == "least cosine").all() and set(forms.rows["n"]) == {len(sample.documents)}
    cosines = forms.rows.set_index("model")["value"]
    assert cosines[MODEL] == pytest.approx(1, abs=1e-6)
    assert 0.98 < cosines[f"{MODEL} (bfloat16)"] < 1 - 1e-7


def test_what_is_missing_is_a_row_and_a_sentence_and_the_rest_goes_on(sample, folder):
    forms = encoder_forms.ready(sample, MODEL, ["float32", OURS, "OpenVINO float32", "int8"])
    assert [each.dtype for each in forms.encoders] == ["float32", "int8"]
    assert told(forms) == {f"{MODEL} ({name})": "not installed: a command" for name in (OURS, "OpenVINO float32")}
    assert encoder_forms.not_run(forms.rows) == [
        f"Not run here, not installed: a command: {MODEL} ({OURS}), {MODEL} (OpenVINO float32)."
    ]


def test_vectors_that_are_not_pytorchs_are_left_out(sample, folder, another):
    another(lambda rows: rows + 0.1)
    forms = encoder_forms.ready(sample, MODEL, [OURS])
    assert len(forms.encoders) == 1
    assert told(forms)[f"{MODEL} ({OURS})"].startswith("its vectors are not PyTorch's: a cosine of 0.")
    another(lambda rows: rows * np.nan)
    assert "a cosine of nan" in told(encoder_forms.ready(sample, MODEL, [OURS]))[f"{MODEL} ({OURS})"]
    another(lambda rows: 2 * rows)
    assert [each.name for each in encoder_forms.ready(sample, MODEL, [OURS]).encoders] == [MODEL, f"{MODEL} ({OURS})"]


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError("none left"), "MemoryError: none left"), (WorkbookError("cannot be"), "cannot be")]
)
def test_a_form_that_fails_is_told_whatever_it_raises(sample, folder, another, error, said):
    def encode(_):
        raise error

    another(encode)
    assert told(encoder_forms.ready(sample, MODEL, [OURS])) == {f"{MODEL} ({OURS})": said}


def test_an_unknown_form_and_a_model_that_pytorch_cannot_run_stop(sample, folder, monkeypatch):
    with pytest.raises(WorkbookError, match=r"unknown variant 'float8'.*OpenVINO bfloat16"):
        encoder_forms.ready(sample, MODEL, ["float8"])
    with pytest.raises(WorkbookError, match="cannot be cut"):
        encoder_forms.ready(sample, MODEL, ["int8"], 2)


def test_every_form_is_judged_and_paired_with_the_first(sample, folder):
    forms = encoder_forms.ready(sample, MODEL, ["float32", "bfloat16"])
    rows = encoder_forms.quality(sample, forms.encoders)
    scores = rows[rows["metric"] == "ndcg@10"].set_index("model")["value"]
    [difference] = rows[rows["metric"] == "ndcg@10 difference"].to_dict("records")
    assert set(rows["n"]) == {len(sample.queries)}
    assert (difference["model"], difference["against"]) == (f"{MODEL} (bfloat16)", MODEL)
    assert difference["value"] == pytest.approx(scores[f"{MODEL} (bfloat16)"] - scores[MODEL])
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_a_query_has_its_parts_and_is_measured_once(sample, folder):
    made = [encoders.load("tiny-static"), variants.make(MODEL, "int8")]
    rows = encoder_forms.one_by_one(sample, made, made[0], "edge", 2, 1)
    parts = rows.pivot_table(index="model", columns="part", values="value")
    assert set(rows["n"]) == {2} and (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
    of_encoding = [*encoder_forms.PARTS.values(), encoder_forms.LIBRARY]
    told = parts[of_encoding]
    assert (told >= 0).all(axis=None) and (told[["tokenization", "model"]] > 0).all(axis=None)
    assert parts.loc["tiny-static", "search, exact"] > 0 and np.isnan(parts.loc[f"{MODEL} (int8)", "search, exact"])
    assert (parts[encoder_forms.TO_DOCUMENTS] > parts[encoder_forms.ALL]).all()
    again = encoder_forms.one_by_one(sample, made, made[0], "edge", 2, 1)
    pd.testing.assert_frame_equal(rows, again)


def test_what_tells_no_parts_has_all_of_encoding_alone(data, monkeypatch):
    """A library of its own has none; of a table, tokenization can be timed apart."""
    clock = iter([5.0, 3.0, 1.0])
    monkeypatch.setattr(stopwatch, "seconds_of", lambda work: next(clock))
    model = encoders.load("tiny-static").model
    spent = []
    fast = SimpleNamespace(model=model, kind="transformer", encode=None)
    encoder_forms._encode_each(fast, ["a"], spent)
    table = SimpleNamespace(model=model, kind="static", encode=None, tokenizer=lambda role: model.tokenizer)
    encoder_forms._encode_each(table, ["a"], spent)
    assert spent[0] == {encoder_forms.ALL: 5.0}
    assert spent[1] == {"tokenization": 1.0, "model": 2.0, "pooling": 0.0, "library": 0.0, encoder_forms.ALL: 3.0}


def test_when_searching_takes_longer_is_computed_from_a_search_that_compares_all():
    """A thousand vectors in 0.1 ms: 0.5 ms are 5,000, and 12.34 ms 123,400, of which two digits are told."""
    rows = pd.DataFrame(
        [
            {"model": "static", "part": encoder_forms.ALL, "value": 0.5},
            {"model": "mini (int8)", "part": encoder_forms.ALL, "value": 12.34},
            {"model": "mini", "part": encoder_forms.ALL, "value": 20.0},
            {"model": "static", "part": "search, exact", "value": 0.1, "documents": 1_000},
        ]
    )
    assert encoder_forms.matters(rows) == (
        "Comparing a query with all of 1,000 vectors takes Qdrant 0.10 ms. "
        "So encoding takes longer than that search up to about this many documents, computed: "
        "5,000 with static (0.50 ms) and 120,000 with mini (int8) (12.34 ms)."
    )


def test_no_repeats_are_refused(sample, folder):
    with pytest.raises(WorkbookError, match="repeats"):
        encoder_forms.one_by_one(sample, [], encoders.load("tiny-static"), "edge", 0)
