"""Which vector of a collection is meant, and what its quantization is called."""

import pytest
from workbook.errors import WorkbookError
from workbook.qdrant import existing_facts
from workbook.qdrant.existing_facts import Facts
from workbook.qdrant.quantization import SETTINGS

ONE = {"": {"size": 8}}
TWO = {"title": {"size": 8}, "text": {"size": 4}}


@pytest.mark.parametrize(
    ("vectors", "wanted", "name"), [(ONE, "", ""), (TWO, "text", "text"), ({"text": {"size": 4}}, "", "text")]
)
def test_the_vector_that_is_meant(vectors, wanted, name):
    assert existing_facts.choose(vectors, ["words"], wanted, "it") == name


@pytest.mark.parametrize(
    ("vectors", "sparse", "wanted", "message"),
    [
        ({}, [], "", "it has no vectors"),
        ({}, ["words"], "", r"it has only sparse vectors \(words\)"),
        (TWO, [], "", "several vectors: which.*'text', 'title'"),
        (TWO, [], "body", "no vector 'body': it has 'text', 'title'"),
        (ONE, ["words"], "words", "'words' is a sparse vector; give a dense one: ''"),
        ({"": {"size": 8, "multivector_config": {"comparator": "max_sim"}}}, [], "", "multivector.*not measured"),
    ],
)
def test_no_vector_that_can_be_measured(vectors, sparse, wanted, message):
    with pytest.raises(WorkbookError, match=message):
        existing_facts.choose(vectors, sparse, wanted, "it")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        *((setting.config, name) for name, setting in SETTINGS.items()),
        (None, "float32"),
        ({"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}, "scalar-int8"),
        ({"binary": {"encoding": None, "always_ram": False}}, "binary"),
        ({"binary": {"query_encoding": "default"}}, "binary"),
        ({"turbo": {}}, "turbo-4bit"),
        ({"binary": {"query_encoding": "scalar4bits"}},
         '{"binary": {"encoding": "one_bit", "query_encoding": "scalar4bits"}}'),
    ],
)  # fmt: skip
def test_a_configuration_has_the_name_of_its_setting(config, name):
    assert existing_facts.label(config, "float32") == name


@pytest.mark.parametrize(
    ("setting", "size", "euclid"),
    [
        ("float32", 260, 260), ("float16", 130, 130), ("uint8", 65, 65), ("scalar-int8", 84, 84), ("binary", 16, 16),
        ("turbo4", 37, 41), ("turbo8", 69, 73), ("turbo16", 134, 138), ("turbo-4bit", 41, 45), ("turbo-8bit", 69, 73),
        ('{"turbo": {"bits": "bits3"}}', None, None),
    ],
)  # fmt: skip
def test_bytes_of_a_vector_of_65_numbers(setting, size, euclid):
    assert existing_facts.bytes_per_vector(setting, 65, "Cosine") == size
    assert existing_facts.bytes_per_vector(setting, 65, "Euclid") == euclid


def test_a_datatype_that_is_not_known_is_refused():
    with pytest.raises(WorkbookError, match="it: '' is stored as turbo2; only these are measured: float32, float16"):
        existing_facts.choose({"": {"size": 8, "datatype": "turbo2"}}, [], "", "it")


@pytest.mark.parametrize(("indexed", "size"), [(10, 16), (9, None), (None, None)])
def test_bytes_are_told_only_where_every_vector_is_indexed(indexed, size):
    facts = Facts(
        "", "", "", 64, "Cosine", "float32", 12, 10, setting="binary", indexed=indexed, m=16, ef_construct=100,
        full_scan_kb=10, segments=1, sha256=None,
    )  # fmt: skip
    assert facts.bytes_per_vector == size
