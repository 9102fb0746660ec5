"""The package's data flows one way: rooms import only from those above them in the docstring of `workbook`."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import nbformat
import pytest
import workbook

PACKAGE = Path(workbook.__file__).parent
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
FLOW = [room for room in re.findall(r"^(\w+)  ", workbook.__doc__, re.MULTILINE) if room in ROOMS]
MOST = 36  # arrows between rooms


def imported(source: str) -> set[tuple[str, ...]]:
    """What a source imports of the package: (room, module), of a whole room (room, ""), of the root (module,)."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "workbook":
            path = node.module.split(".")[1:]
            bare = not path or (len(path) == 1 and path[0] in ROOMS)
            found |= {(*path, alias.name) for alias in node.names} if bare else {tuple(path)}
        assert not (isinstance(node, ast.ImportFrom) and node.level), "an import that is relative"
        assert not (isinstance(node, ast.Import) and any(each.name.startswith("workbook") for each in node.names))
    return {(path[0], "") if len(path) == 1 and path[0] in ROOMS else path for path in found}


def imports(file: Path) -> set[tuple[str, ...]]:
    return imported(file.read_text(encoding="utf-8"))


def test_every_way_to_import_is_seen():
    late = "def late():\n    from workbook import runs, paths\n    from workbook.runs import plan\n    "
    late += "from workbook.figures.plots import save"
    assert imported(late) == {("runs", ""), ("paths",), ("runs", "plan"), ("figures", "plots")}
    for refused in ("from ..runs import runner", "import workbook.runs.runner"):
        with pytest.raises(AssertionError):
            imported(refused)


def test_rooms_import_only_from_those_above_them_and_the_root_from_none():
    arrows = {(file.parent.name, path[0]) for file in PACKAGE.glob("*/*.py") for path in imports(file) if len(path) > 1}
    arrows = {(room, other) for room, other in arrows if room != other}
    assert sorted(FLOW) == sorted(ROOMS)
    assert not [arrow for arrow in arrows if FLOW.index(arrow[1]) > FLOW.index(arrow[0])]
    assert len(arrows) <= MOST
    assert not [f for f in PACKAGE.glob("*.py") if f.stem != "__main__" and any(len(p) > 1 for p in imports(f))]


def test_a_room_has_no_circle_inside():
    for room in [*ROOMS, "."]:
        inside = {
            file.stem: {
                path[-1] for path in imports(file) if len(path) == 1 + (room != ".") and path[:-1] in ((), (room,))
            }
            for file in (PACKAGE / room).glob("*.py")
        }
        list(TopologicalSorter(inside).static_order())


def test_rooms_and_files_are_small():
    assert len(ROOMS) == 11
    files = [list((PACKAGE / room).glob("[!_]*.py")) for room in [*ROOMS, "."]]
    assert max(map(len, files)) <= 12


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
    sources = [file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")]
    sources += [cell.source for cell in cells if cell.cell_type == "code"]
    assert len(sources) > 100 and not [found for source in sources for found in lenient(source)]
    code = (
        "open(x, trust_remote_code=True); np.load(x, allow_pickle=lax); torch.load(x); np.load(x, allow_pickle=False)"
    )
    assert lenient(code) == ["trust_remote_code=True", "allow_pickle=lax", "torch.load"]
