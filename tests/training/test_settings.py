"""Settings take what makes sense, and say what they are when something else is given."""

import re

import pytest
from workbook.errors import WorkbookError
from workbook.training.settings import Settings


def test_an_unknown_setting_is_refused_with_the_known_ones():
    with pytest.raises(WorkbookError, match=r"training has no setting epoch, rate; it has words, .*epochs"):
        Settings.of(epoch=3, rate=1)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("epochs", [0, -1, 2.5, "5", None, True]),
        ("batch_size", [0, 2.5]),
        ("sentences", [0, 1.5]),
        ("learning_rate", [0.0, -0.1, float("nan"), float("inf"), "fast", None]),
        ("scale", [-20, 0]),
        ("ridge", [-1, float("nan"), None]),
        ("queries_only", ["no", 1]),
        ("kinds", [[], ["title", "heading"], "title", None]),
        ("dimensions", [32, [0], [-8], [16.0], [16, 32], [32, 32]]),
        ("width", [-1, 64.5, None]),
        ("teacher", [1.5, -0.1, float("nan"), None]),
        ("words", ["no", 1]),
        ("frequencies", ["no", None]),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, values):
    for value in values:
        with pytest.raises(WorkbookError, match=f"^{name} must be .*, not {re.escape(repr(value))}$"):
            Settings.of(**{name: value})


def test_a_setting_that_would_change_nothing_is_refused():
    for values in ({"width": 128}, {"dimensions": [32]}, {"teacher": 0.5}):
        with pytest.raises(WorkbookError, match=f"queries_only leaves nothing for {next(iter(values))} to change"):
            Settings.of(queries_only=True, **values)
    with pytest.raises(WorkbookError, match="ridge is of the start that queries_only has: leave it out"):
        Settings.of(ridge=0.3)


def test_settings_come_from_what_a_notebook_writes():
    made = Settings.of(kinds=["title"], dimensions=[32], epochs=1)
    assert (made.kinds, made.dimensions, made.epochs, made.batch_size) == (("title",), (32,), 1, 2048)
    assert Settings.of() == Settings()
