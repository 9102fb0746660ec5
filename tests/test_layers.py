"""The package's data flows one way: each module imports only from those before it in the docstring of `workbook`."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import workbook

PACKAGE = Path(workbook.__file__).parent
FLOW = re.findall(r"\w+", workbook.__doc__.split("\n\n")[1])
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imported_modules(source: str) -> set[str]:
    """Modules of the package that a source imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "workbook":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workbook."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("workbook.")}
    return found


def test_the_map_names_every_module_once():
    assert sorted(FLOW) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_left(module):
    imported = imported_modules((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    assert imported <= set(FLOW[: FLOW.index(module)])


def test_an_import_to_the_right_would_be_seen():
    assert imported_modules("def late():\n    from workbook.sweep import measure\n    from workbook import plots") == {
        "sweep",
        "plots",
    }


def test_nothing_beside_the_notebooks_shadows_a_real_package():
    shadowing = {"datasets", "beir", "tokenizers", "transformers", "torch", "qdrant_client", "model2vec"}
    assert not shadowing & {path.stem for path in PACKAGE.parent.iterdir()}


def lenient(source: str) -> list[str]:
    """Calls in a source that let a file run code when it is read; what ruff has rules for is left to ruff."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    switched = [
        f"{option.arg}={ast.unparse(option.value)}"
        for call in calls
        for option in call.keywords
        if option.arg in ("trust_remote_code", "allow_pickle") and ast.unparse(option.value) != "False"
    ]
    return switched + [name for call in calls if (name := ast.unparse(call.func)) in ("torch.load", "joblib.load")]


def test_no_file_that_is_read_may_run_code():
    cells = [cell for file in PACKAGE.parent.glob("*.ipynb") for cell in nbformat.read(file, as_version=4).cells]
    sources = [file.read_text(encoding="utf-8") for file in PACKAGE.glob("*.py")]
    sources += [cell.source for cell in cells if cell.cell_type == "code"]
    assert len(sources) > 100 and not [found for source in sources for found in lenient(source)]
    code = (
        "open(x, trust_remote_code=True); np.load(x, allow_pickle=lax); torch.load(x); np.load(x, allow_pickle=False)"
    )
    assert lenient(code) == ["trust_remote_code=True", "allow_pickle=lax", "torch.load"]
