"""The plan, runs.yaml: profiles of notebooks with their parameters, and the values that are expected of them."""

import ast
import datetime
import json
import math
import re
import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from workbook import paths
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.runs import parameters
from workbook.runs.checks import CHECKS

PLAN = paths.NOTEBOOKS / "runs.yaml"
_TEXT = "tag:yaml.org,2002:str"


class Job(NamedTuple):
    """One notebook to run: its name, the parameters it is given, and seconds a cell may take."""

    notebook: str
    parameters: dict[str, Any]
    cell_timeout: int


class _Loader(yaml.SafeLoader):
    """YAML as data alone: no tags, nothing said twice, and no aliases, by which ten lines can stand for billions.

    A plain value is a number, true, false, null or a text as in JSON, 1e-2 among the numbers. What YAML has another
    reading of is refused: 010 is 8 to it, 1:30 is 90, yes is true, 1_000 is 1000 and 2020-01-01 a date.
    """

    yaml_implicit_resolvers: ClassVar[dict] = {}

    def compose_scalar_node(self, anchor: str | None) -> yaml.ScalarNode:
        event = self.peek_event()
        if event.tag is None and event.implicit[0] and (advice := _ambiguous(event.value)):
            raise _at(event.start_mark, advice)
        return super().compose_scalar_node(anchor)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _at(self.peek_event().start_mark, "an alias, *name, is not read: write out what it stands for")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((name for number, name in enumerate(names) if name in names[:number]), None):
            raise _at(node.start_mark, f"{twice} is there twice: take one out")
        return super().construct_mapping(node, deep)


for _kind, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)",
    "float": r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), None)


def _ambiguous(text: str) -> str:
    """What to do about a plain value that people and YAML read as different things; nothing if there is no such."""
    mine, usual = (kind.resolve(kind(""), yaml.ScalarNode, text, (True, False)) for kind in (_Loader, yaml.SafeLoader))
    leading = re.fullmatch(r"[-+]?0[0-9]+(\.[0-9]*)?", text)
    if not leading and (mine == usual or usual == _TEXT):
        return ""
    try:
        value = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):  # a date that is none, or a sign of YAML's own
        value = None
    if value is None or isinstance(value, datetime.date | str):
        return f"{text} can be read as more than a text: quote it"
    return f"{text} is {json.dumps(value)} to YAML: write {json.dumps(value)}, or quote it"


def _at(mark: yaml.Mark, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def read(file: Path) -> dict[str, Any]:
    """Read runs.yaml. Raises WorkbookError, with the line where that is known, if it is not a plan."""
    try:
        plan = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        place = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise WorkbookError(f"{file.name}{place} is not a plan, correct it there: {_line(error.problem)}") from None
    except RecursionError:
        raise WorkbookError(f"{file.name} is nested too deeply to be a plan: is it another file?") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # a file, UTF-8, a date or number, a character
        raise WorkbookError(f"{file.name} cannot be read as YAML in UTF-8: {_line(error)}") from None
    try:
        _keys(plan, "the plan", {"profiles"}, {"expected"})
        for name, facts in _keys(plan["profiles"], "profiles").items():
            _check_profile(name, facts)
        if not isinstance(plan.get("expected", []), list):
            raise WorkbookError("expected needs to be a list")
        for entry in plan.get("expected", []):
            _check_expected(entry, plan["profiles"])
    except WorkbookError as error:
        raise WorkbookError(f"{file.name}: {error}") from None
    return plan


def _keys(value: Any, what: str, needed: Collection[str] = (), other: Collection[str] | None = None) -> dict[str, Any]:
    """The value; WorkbookError unless it has names, all of `needed`, and no more than them and `other` (None: any)."""
    if not isinstance(value, dict):
        raise WorkbookError(f"{what} needs to be names with values, `name: value`, not {reprlib.repr(value)}")
    if lacking := set(needed) - set(value):
        raise WorkbookError(f"{what} lacks {', '.join(sorted(lacking))}: {reprlib.repr(value)}")
    known = value if other is None else [*sorted(needed), *sorted(other)]
    if unknown := set(value) - set(known):
        raise WorkbookError(f"{what} knows no {', '.join(sorted(map(str, unknown)))}: give {', '.join(known)}")
    return value


def _check_profile(name: Any, facts: Any) -> None:
    what = f"profile {_plain(name, 'a profile')}"
    _keys(facts, what, {"notebooks"}, {"parameters", "cell_timeout_s"})
    for notebook, own in _keys(facts["notebooks"], f"notebooks of {what}").items():
        _keys({} if own is None else own, f"{_plain(notebook, 'a notebook')} of {what}")
    if not facts["notebooks"]:
        raise WorkbookError(f"{what} has no notebooks: give one")
    _keys(facts.get("parameters", {}), f"parameters of {what}", (), CHECKS)
    seconds = facts.get("cell_timeout_s", 1)
    if type(seconds) is not int or seconds < 1:
        raise WorkbookError(f"cell_timeout_s of {what} must be whole seconds, 1 or more, not {seconds!r}")


def _plain(name: Any, what: str) -> str:
    """A name that becomes that of a file; WorkbookError for one that would lead out of its folder."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise WorkbookError(
            f"{reprlib.repr(name)} cannot be {what}'s name: give up to 100 letters, digits, points and dashes"
        )
    return name


def _check_expected(entry: Any, profiles: Mapping[str, Any]) -> None:
    """Raise WorkbookError for an expected value that would never be compared."""
    _keys(entry, "an expected value", {"profile", "notebook", "where", "metric", "value", "tolerance"}, {"near"})
    profile, notebook = str(entry["profile"]), str(entry["notebook"])
    if profile not in profiles or notebook not in profiles[profile]["notebooks"]:
        raise WorkbookError(f"expected value for {profile}/{notebook}, which is not planned: plan it or take it out")
    unknown = set(_keys(entry["where"], "where of an expected value")) - set(results.COLUMNS)
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise WorkbookError(f"rows have no column {names}; they have {', '.join(results.COLUMNS)}")
    for name in ("value", "tolerance", "near"):
        value = entry.get(name, 0)
        is_number = type(value) in (int, float) and math.isfinite(value)
        if not is_number or (value < 0 and name != "value"):
            raise WorkbookError(f"{name} of an expected value of {profile}/{notebook} must be a number, not {value!r}")
    for value in (entry["metric"], *entry["where"].values()):
        if not isinstance(value, str | int | float):
            raise WorkbookError(f"an expected value of {profile}/{notebook} looks for {value!r}: give a text or number")


def _line(error: object) -> str:
    return " ".join(str(error).split())


def prepare(
    plan: dict[str, Any], profile: str, overrides: Mapping[str, str], only: list[str], ask: bool = True
) -> list[Job]:  # fmt: skip
    """Turn a profile into jobs, every parameter checked against its notebook and by its own check.

    `ask`: see `parameters.check`.
    """
    if profile not in plan["profiles"]:
        raise WorkbookError(f"unknown profile {profile!r}: give one of {', '.join(plan['profiles'])}")
    facts = plan["profiles"][profile]
    notebooks = facts["notebooks"]
    for name in only:
        if name not in notebooks:
            raise WorkbookError(f"profile {profile} has no notebook {name!r}: give one of {', '.join(notebooks)}")
    overrides = {name: _absolute(value) for name, value in overrides.items()}
    jobs = []
    for notebook, own in notebooks.items():
        if only and notebook not in only:
            continue
        declared = declared_parameters(notebook)
        shared = {name: value for name, value in facts.get("parameters", {}).items() if name in declared}
        values = {**declared, **shared, **(own or {}), **{k: v for k, v in overrides.items() if k in declared}}
        unknown = set(values) - set(declared)
        if unknown:
            raise WorkbookError(
                f"{notebook} has no parameter {', '.join(sorted(map(str, unknown)))}; it has {', '.join(declared)}"
            )
        try:
            parameters.check(values, ask)
        except WorkbookError as error:
            raise WorkbookError(f"{notebook}: {error}") from None
        jobs.append(Job(notebook, values, facts.get("cell_timeout_s", 3_600)))
    return jobs


def declared_parameters(notebook: str) -> dict[str, Any]:
    """Name and default of everything in a notebook's `parameters` cell."""
    import papermill

    file = paths.NOTEBOOKS / f"{notebook}.ipynb"
    if not file.is_file():
        raise WorkbookError(f"there is no notebook {file.name} in {paths.NOTEBOOKS.name}/: give one that is")
    found = papermill.inspect_notebook(str(file))
    if not found:
        raise WorkbookError(f"{file.name} has no cell tagged `parameters`; papermill would ignore what it is given")
    return {name: ast.literal_eval(facts["default"]) for name, facts in found.items()}


def _absolute(value: str) -> str:
    """A relative path is relative to where the command was given, but notebooks run in notebooks/."""
    return str(Path(value).resolve()) if value and paths.exists(Path(value)) else value
