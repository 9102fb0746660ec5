"""A card is saved with its model and read back; the README says the same to people."""

import json

import pytest
from workbook.embedding import encoders, model_cards
from workbook.embedding.model_files import CARD
from workbook.errors import WorkbookError

FACTS = {"settings": {"epochs": 3, "words": False}, "seed": 7, "history": [{"epoch": 1}], "start": {"model": "x"}}


def test_a_card_is_saved_with_its_model_and_read_back(tmp_path):
    folder = tmp_path / "made"
    model_cards.save(encoders.load("tiny-static").model, folder, FACTS)
    assert model_cards.read(folder) == FACTS == json.loads((folder / CARD).read_text(encoding="utf-8"))
    assert encoders.load(str(folder)).dimensions == 64
    assert [file.name for file in tmp_path.iterdir()] == ["made"]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlibrary_name: sentence-transformers\n")
    for line in ("# made", "| seed | 7 |", "| epochs | 3 |"):
        assert f"{line}\n" in text
    assert "queries or judgements" in text and "history" not in text


@pytest.mark.parametrize("text", ['{"settings": ', "[]", "[" * 10_000, "\xff"])
def test_a_card_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / CARD).write_text(text, encoding="latin-1")
    with pytest.raises(WorkbookError, match=r"training\.json is no card of a model \(.*\): delete its folder"):
        model_cards.read(tmp_path)
    assert model_cards.read(tmp_path / "elsewhere") == {}
