"""Average models of one start into one, a model soup (Wortsman et al. 2022, Model soups)."""

from collections.abc import Sequence
from pathlib import Path

from workbook import paths
from workbook.embedding import model_cards, model_files
from workbook.errors import WorkbookError
from workbook.training import start_models
from workbook.training.training import key_of


def average(folders: Sequence[Path], name: str) -> Path:
    """Folder in data/models of the average of the models in folders, made now or before.

    Raises WorkbookError for models whose tokens or dimensions differ.
    """
    key = key_of([model_files.folder_sha256(folder) for folder in folders])
    target = paths.DATA / "models" / f"custom-{name}-soup-{key}"
    if target.is_dir():
        return target
    models = [model_files.open_folder(str(folder)) for folder in folders]
    for model in models:
        start_models.check(model)
    tables = [model[0].embedding.weight.data for model in models]
    if len({(table.shape, model[0].tokenizer.to_str()) for table, model in zip(tables, models, strict=True)}) > 1:
        raise WorkbookError("only models of one start, with the same tokens and dimensions, can be averaged")
    models[0][0].embedding.weight.data = sum(tables) / len(tables)
    settings = model_cards.read(folders[0])["settings"]
    facts = {"settings": settings, "average_of": [folder.name for folder in folders], "history": []}
    model_cards.save(models[0], target, facts)
    return target
