"""The plan, runs.yaml: profiles of notebooks with their parameters, and the values that are expected of them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from workbook import parameters, paths, results
from workbook.errors import WorkbookError

PLAN = paths.NOTEBOOKS / "runs.yaml"


class Job(NamedTuple):
    """One notebook to run: its name, the parameters it is given, and seconds a cell may take."""

    notebook: str
    parameters: dict[str, Any]
    cell_timeout: int


class Expected(NamedTuple):
    """A value the plan expects, what was found, and the verdict: OK, near or FAIL."""

    notebook: str
    what: str
    expected: float
    found: float | None
    verdict: str


def read(file: Path) -> dict[str, Any]:
    """Read runs.yaml. Raises WorkbookError if it is not a plan."""
    try:
        plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise WorkbookError(f"{file.name} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(plan, dict) or "profiles" not in plan:
        raise WorkbookError(f"{file.name} has no profiles")
    for entry in plan.get("expected", []):
        _check_expected(entry, plan["profiles"], file.name)
    return plan


def _check_expected(entry: Mapping[str, Any], profiles: Mapping[str, Any], file: str) -> None:
    """Raise WorkbookError for an expected value that would never be compared."""
    missing = {"profile", "notebook", "where", "metric", "value", "tolerance"} - set(entry)
    if missing:
        raise WorkbookError(f"{file}: an expected value lacks {', '.join(sorted(missing))}: {dict(entry)}")
    if entry["profile"] not in profiles or entry["notebook"] not in profiles[entry["profile"]]["notebooks"]:
        raise WorkbookError(f"{file}: expected value for {entry['profile']}/{entry['notebook']}, which is not planned")
    unknown = set(entry["where"]) - set(results.COLUMNS)
    if unknown:
        raise WorkbookError(f"{file}: rows have no column {', '.join(sorted(unknown))}; they have {results.COLUMNS}")


def prepare(plan: dict[str, Any], profile: str, overrides: Mapping[str, str], only: list[str]) -> list[Job]:
    """Turn a profile into jobs, every parameter checked against its notebook and by its own check."""
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
                f"{notebook} has no parameter {', '.join(sorted(unknown))}; it has {', '.join(declared)}"
            )
        try:
            parameters.check(values)
        except WorkbookError as error:
            raise WorkbookError(f"{notebook}: {error}") from None
        jobs.append(Job(notebook, values, facts.get("cell_timeout_s", 3_600)))
    return jobs


def declared_parameters(notebook: str) -> dict[str, Any]:
    """Name and default of everything in a notebook's `parameters` cell."""
    import papermill

    file = paths.NOTEBOOKS / f"{notebook}.ipynb"
    if not file.is_file():
        raise WorkbookError(f"there is no notebook {file.name} in {paths.NOTEBOOKS.name}/")
    found = papermill.inspect_notebook(str(file))
    if not found:
        raise WorkbookError(f"{file.name} has no cell tagged `parameters`; papermill would ignore what it is given")
    return {name: yaml.safe_load(facts["default"]) for name, facts in found.items()}


def compare_all(
    plan: Mapping[str, Any], profile: str, overrides: Mapping[str, str], finished: Collection[str], run_name: str
) -> list[Expected]:
    """Compare the expected values of the notebooks that finished; none if the profile was run with another corpus."""
    entries = [] if overrides else plan.get("expected", [])
    return [
        compare(entry, run_name) for entry in entries if entry["profile"] == profile and entry["notebook"] in finished
    ]


def compare(entry: Mapping[str, Any], run_name: str) -> Expected:
    """Compare one expected value of the plan with the row that the notebook published in this run."""
    where, metric = entry["where"], entry["metric"]
    what = f"{metric} of {', '.join(str(value) for value in where.values())}"
    try:
        frame = pd.read_csv(results.published_file(run_name, entry["notebook"]), dtype={"dimension": "Int64"})
    except (OSError, ValueError):  # no rows, or none that can be read
        frame = pd.DataFrame()
    frame = frame.reindex(columns=results.COLUMNS)
    for column, value in {**where, "metric": metric}.items():
        frame = frame[frame[column] == value]
    if len(frame) != 1:
        return Expected(entry["notebook"], what, entry["value"], None, "FAIL")
    found = float(frame["value"].iloc[0])
    off = abs(found - entry["value"])
    verdict = "OK" if off <= entry["tolerance"] else "near" if off <= entry.get("near", 0) else "FAIL"
    return Expected(entry["notebook"], what, entry["value"], found, verdict)


def _absolute(value: str) -> str:
    """A relative path is relative to where the command was given, but notebooks run in notebooks/."""
    return str(Path(value).resolve()) if Path(value).exists() else value
