"""A room opens the modules that are asked of it, and no others."""

import subprocess
import sys

import pytest
from workbook import corpora, evaluation, figures, paths


def test_a_module_is_imported_when_it_is_first_named_and_not_before():
    code = (
        "import sys; from workbook import corpora; assert 'workbook.corpora.beir_sets' not in sys.modules;"
        "assert corpora.beir_sets.BEIR; assert 'workbook.corpora.own_data' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=paths.NOTEBOOKS)


def test_what_a_room_does_not_have_is_no_attribute_of_it():
    with pytest.raises(AttributeError, match=r"workbook\.figures has no module missing"):
        figures.missing  # noqa: B018
    with pytest.raises(AttributeError, match=r"workbook\.evaluation\.evaluation' has no attribute 'missing'"):
        evaluation.missing  # noqa: B018
    assert not hasattr(evaluation, "__path_of_nothing__")


def test_the_names_of_the_module_that_is_called_as_its_room_are_the_rooms_too():
    from workbook.corpora.corpora import load

    assert corpora.load is load
