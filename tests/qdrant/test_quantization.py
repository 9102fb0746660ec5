"""Settings and searches by name, their sizes by hand, how both engines are told, and the scores of one-bit codes."""

import engine_codes
import numpy as np
import pytest
from workbook.errors import WorkbookError
from workbook.qdrant import quantization
from workbook.qdrant.quantization import ALL, SETTINGS, Search, Setting

NAMES = [
    "float32", "scalar-int8", "product-x4", "product-x8", "product-x16", "product-x32", "product-x64",
    "binary", "binary-1.5bit", "binary-2bit", "binary-scalar8-query",
    "turbo-1bit", "turbo-1.5bit", "turbo-2bit", "turbo-4bit", "turbo-8bit",
]  # fmt: skip
every_setting = pytest.mark.parametrize("name", NAMES)


def test_every_setting_is_registered_under_its_own_name():
    assert list(SETTINGS) == [setting.name for setting in SETTINGS.values()] == NAMES
    assert len({str(setting.config) for setting in SETTINGS.values()}) == len(NAMES), "no two are the same"


@pytest.mark.parametrize(
    ("name", "dimension", "expected"),
    [
        ("float32", 384, 4 * 384),
        ("scalar-int8", 384, 384 + 4),
        ("scalar-int8", 20, 32 + 4),
        ("product-x4", 384, 384),
        ("product-x16", 384, 96),
        ("product-x64", 384, 24),
        ("binary", 384, 48),
        ("binary", 64, 16),
        ("binary", 129, 32),
        ("binary-1.5bit", 384, 80),
        ("binary-2bit", 384, 96),
        ("binary-scalar8-query", 384, 48),
        ("turbo-1bit", 384, 48 + 8),
        ("turbo-1.5bit", 384, 72 + 8),
        ("turbo-2bit", 384, 96 + 8),
        ("turbo-4bit", 384, 192 + 8),
        ("turbo-8bit", 384, 384 + 4),
    ],
)
def test_bytes_per_vector(name, dimension, expected):
    assert SETTINGS[name].bytes_per_vector(dimension) == expected


def test_an_unknown_setting_is_refused_with_the_known_ones():
    with pytest.raises(WorkbookError, match=f"unknown quantization 'int4': .*{', '.join(NAMES)}"):
        quantization.check(["float32", "int4"], [384])


def test_a_product_ratio_must_divide_every_dimension():
    quantization.check(NAMES, [384, 64])
    quantization.check(["product-x16", "binary"], [20])
    with pytest.raises(WorkbookError, match=r"product-x64 codes 16 numbers in one byte, .* 20 dimensions"):
        quantization.check(["product-x16", "product-x64"], [384, 20])


@every_setting
def test_edge_has_a_config_for_it(name):
    assert (quantization.edge_config(SETTINGS[name]) is None) == (name == "float32")


@every_setting
def test_the_client_config_says_exactly_what_rest_says(name):
    config = quantization.client_config(SETTINGS[name].config)
    assert (config.model_dump(mode="json", exclude_none=True) if config else {}) == SETTINGS[name].config


def test_the_settings_of_a_family_by_hand():
    product, turbo = {"product": {"compression": "x16"}}, {"turbo": {"bits": "bits1_5"}}
    assert SETTINGS["product-x16"] == Setting("product-x16", 2, product, block=1, overhead=0)
    assert (SETTINGS["turbo-8bit"].bits, SETTINGS["turbo-8bit"].overhead) == (8, 4)
    assert SETTINGS["turbo-1.5bit"] == Setting("turbo-1.5bit", 1.5, turbo, block=1, overhead=8, since=(1, 18))


def test_codes_by_hand():
    rows = np.array([[0, 0.5, -1, 1, 0.25, -0.0, 1, 1, 1], [-1, 0, 0, 0, 0, 0, 0, 0, 2]], dtype=np.float32)
    binary = engine_codes.computed(SETTINGS["binary"], rows)
    assert binary.dtype == np.uint8 and binary.shape == (2, 16)
    assert binary[:, :2].tolist() == [[0b11011010, 1], [0, 1]] and not binary[:, 2:].any()
    scalar = engine_codes.computed(SETTINGS["scalar-int8"], rows)
    assert scalar.dtype == np.uint8 and scalar.tolist()[1] == [0, 42, 42, 42, 42, 42, 42, 42, 127]


@pytest.mark.filterwarnings("error")
def test_equal_numbers_have_codes_too():
    assert not engine_codes.computed(SETTINGS["scalar-int8"], np.ones((2, 16), dtype=np.float32)).any()


def test_binary_scores_by_hand():
    queries = np.array([[0.5, -0.2, 0.0], [1, 1, 1]])  # + - -, because zero counts as minus; + + +
    documents = np.array([[1, 1, 1], [-3, 0, -0.0], [0.1, -5, -0.1]])  # + + +, - - -, + - -
    scores = quantization.binary_scores(queries, documents)
    assert scores.dtype == int and scores.tolist() == [[-1, 1, 3], [3, -3, -1]]


@pytest.mark.parametrize(
    ("name", "search"),
    [
        ("exact", Search(hnsw_ef=None, exact=True, rescore=False, oversampling=None)),
        ("full-ef", Search(hnsw_ef=ALL, exact=False, rescore=False, oversampling=None)),
        ("default-ef", Search(hnsw_ef=None, exact=False, rescore=False, oversampling=None)),
        ("rescore", Search(hnsw_ef=None, exact=False, rescore=True, oversampling=None)),
        ("rescore-x2", Search(hnsw_ef=None, exact=False, rescore=True, oversampling=2)),
        ("rescore-x1.5", Search(hnsw_ef=None, exact=False, rescore=True, oversampling=1.5)),
        ("ef-256", Search(hnsw_ef=256, exact=False, rescore=False, oversampling=None)),
        ("rescore-x3-ef-64", Search(hnsw_ef=64, exact=False, rescore=True, oversampling=3)),
    ],
)
def test_searches_by_name(name, search):
    assert Search.named(name) == search


BAD = "rescore-x0 rescore-x0.5 rescore-x rescore-x-2 x2 Exact ef-0 ef -ef-8 rescore-x3ef-8"


@pytest.mark.parametrize("name", ["", *BAD.split()])
def test_an_unknown_search_is_refused_with_the_known_ones(name):
    with pytest.raises(WorkbookError, match=f"unknown search '{name}': .*exact, full-ef, .*ef-N, rescore-xN"):
        Search.named(name)
