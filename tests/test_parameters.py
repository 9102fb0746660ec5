"""Parameters are checked by name, before anything is loaded, with one line that names the parameter."""

import pytest
from workbook import parameters
from workbook.errors import WorkbookError

GOOD = {
    "corpus": "sample",
    "static_model": "tiny-static",
    "transformer_model": "tiny-transformer",
    "dimensions": [64, 16],
    "settings": ["float32", "binary"],
    "searches": ["exact", "full-ef", "default-ef", "rescore-x2"],
    "engine_name": "edge",
    "limit": 100,
    "repeats": 3,
    "threads": 0,
    "words": [8, 32],
    "texts": {"static": 10, "transformer": 5, "large": 1},
}

BAD = [
    ("corpus", "no-such-corpus", "unknown corpus"),
    ("corpus", 7, "wrong type"),
    ("static_model", "no-such-model", "unknown model"),
    ("dimensions", [128], "64 dimensions"),
    ("dimensions", [0], "above 0"),
    ("dimensions", ["64"], "above 0"),
    ("settings", [], "not a list"),
    ("settings", ["float32", "binary-3bit"], "unknown quantization"),
    ("settings", ["binary"], "must have float32"),
    ("settings", ["float32"], "nothing to compare"),
    ("settings", ["float32", "binary", "binary"], "names something twice"),
    ("searches", ["full-ef"], r"missing: default-ef, exact"),
    ("searches", ["exact", "full-ef", "default-ef"], "nothing to compare"),
    ("transformer_model", "tiny-static", "give two models"),
    ("limit", 5, "too few for NDCG@10"),
    ("searches", ["rescore-x0"], "unknown search"),
    ("engine_name", "pinecone", "unknown engine"),
    ("engine_name", "memory", "drops quantization"),
    ("limit", 0, "above 0"),
    ("repeats", -1, "above 0"),
    ("repeats", 2.5, "above 0"),
    ("threads", -2, "above 0"),
    ("words", [], "not a list"),
    ("texts", [1, 2], "does not give"),
    ("texts", {"static": 10}, "does not give"),
    ("spelled_wrong", 1, "unknown parameter"),
]


def test_good_parameters_pass():
    parameters.check(GOOD)


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_bad_parameter_is_named_with_what_to_do(name, value, message):
    with pytest.raises(WorkbookError, match=message) as raised:
        parameters.check({**GOOD, name: value})
    assert "\n" not in str(raised.value)


def test_a_product_ratio_must_divide_the_dimensions():
    with pytest.raises(WorkbookError, match="does not divide 20"):
        parameters.check({**GOOD, "dimensions": [20], "settings": ["float32", "product-x64"]})


def test_a_notebooks_own_variables_are_checked_and_others_left_alone():
    parameters.check_cell({**GOOD, "pd": object(), "data": None})
    with pytest.raises(WorkbookError, match="parameter limit"):
        parameters.check_cell({**GOOD, "limit": 0})
