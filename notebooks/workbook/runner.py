"""Runs the plan: profile -> notebooks with their parameters -> papermill -> expected values -> one verdict table.

Everything is validated before the first notebook starts; a notebook that fails does not stop the next; anything that
failed makes the exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from workbook import parameters, paths, results
from workbook.errors import WorkbookError

PLAN = paths.NOTEBOOKS / "runs.yaml"
KERNEL = "python3"
# Bars belong to a terminal or JupyterLab; in an executed notebook they are noise.
QUIET = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


class Job(NamedTuple):
    """One notebook to run: its name, the parameters it is given, and seconds a cell may take."""

    notebook: str
    parameters: dict[str, Any]
    cell_timeout: int


class Outcome(NamedTuple):
    """How a notebook ended: seconds, what was wrong (empty if nothing), and where the executed notebook is."""

    notebook: str
    seconds: float
    error: str
    file: Path


class Expected(NamedTuple):
    """A value the plan expects, what was found, and the verdict: OK, near or FAIL."""

    notebook: str
    what: str
    expected: float
    found: float | None
    verdict: str


def run(profile: str, overrides: Mapping[str, str], only: list[str], plan_file: Path = PLAN) -> int:
    """Run a profile and print its verdicts. `overrides`: corpus and static_model. Returns the exit code, 0 or 1.

    Raises WorkbookError, before anything starts, for what cannot work.
    """
    plan = read_plan(plan_file)
    jobs = prepare(plan, profile, overrides, only)
    run_name = "+".join([profile, *(Path(value).name.replace("/", "-") for value in overrides.values())])
    outcomes = []
    for number, job in enumerate(jobs, start=1):
        print(f"[{number}/{len(jobs)}] {job.notebook} ...", flush=True)
        outcomes.append(execute(job, run_name))
        last = outcomes[-1]
        print(f"      {'FAILED: ' + last.error if last.error else 'OK'} ({last.seconds:.0f} s)", flush=True)
    finished = [outcome.notebook for outcome in outcomes if not outcome.error]
    expected = [
        verdict
        for entry in plan.get("expected", [])
        if entry["profile"] == profile and entry["notebook"] in finished and not overrides
        for verdict in [compare(entry, run_name)]
    ]
    print(_verdicts(run_name, outcomes, expected))
    return int(any(outcome.error for outcome in outcomes) or any(value.verdict == "FAIL" for value in expected))


def read_plan(file: Path) -> dict[str, Any]:
    """Read runs.yaml. Raises WorkbookError if it is not a plan."""
    try:
        plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise WorkbookError(f"{file.name} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(plan, dict) or "profiles" not in plan:
        raise WorkbookError(f"{file.name} has no profiles")
    return plan


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


def execute(job: Job, run_name: str) -> Outcome:
    """Execute one notebook into reports/<run>/, whole or with its error shown in it."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    file = paths.REPORTS / run_name / f"{job.notebook}.ipynb"
    running = file.with_name(f"{job.notebook}.running.ipynb")
    file.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    error = ""
    try:
        with _environment({**QUIET, "WORKBOOK_RUN": run_name}):
            papermill.execute_notebook(
                str(paths.NOTEBOOKS / f"{job.notebook}.ipynb"), str(running), parameters=job.parameters,
                kernel_name=KERNEL, cwd=str(paths.NOTEBOOKS), progress_bar=sys.stderr.isatty(), log_output=False,
                execution_timeout=job.cell_timeout, extra_arguments=["--log-level=ERROR"],
            )  # fmt: skip
        error = _unfinished(json.loads(running.read_text(encoding="utf-8")))
    except PapermillExecutionError as failure:
        error = _one_line(failure.ename, failure.evalue)
    except Exception as failure:  # a dead kernel or a cell over its time: the other notebooks still run
        error = _one_line(type(failure).__name__, str(failure))
    finally:
        if running.exists():
            with paths.atomic(file) as temporary:
                temporary.write_text(_without_paths(running.read_text(encoding="utf-8")), encoding="utf-8")
            running.unlink()
    return Outcome(job.notebook, time.perf_counter() - started, error, file)


def compare(entry: Mapping[str, Any], run_name: str) -> Expected:
    """Compare one expected value of the plan with the row that the notebook published in this run."""
    where, metric = entry["where"], entry["metric"]
    what = f"{metric} of {', '.join(str(value) for value in where.values())}"
    frame = pd.read_csv(results.published_file(run_name, entry["notebook"]), dtype={"dimension": "Int64"})
    for column, value in {**where, "metric": metric}.items():
        frame = frame[frame[column] == value]
    if len(frame) != 1:
        return Expected(entry["notebook"], what, entry["value"], None, "FAIL")
    found = float(frame["value"].iloc[0])
    off = abs(found - entry["value"])
    verdict = "OK" if off <= entry["tolerance"] else "near" if off <= entry.get("near", 0) else "FAIL"
    return Expected(entry["notebook"], what, entry["value"], found, verdict)


def _verdicts(run_name: str, outcomes: list[Outcome], expected: list[Expected]) -> str:
    lines = ["", f"{'notebook':<30} {'verdict':<8} {'seconds':>7}"]
    lines += [f"{o.notebook:<30} {'FAIL' if o.error else 'OK':<8} {o.seconds:>7.0f}" for o in outcomes]
    if expected:
        lines += ["", f"{'expected value':<72} {'wanted':>9} {'found':>9}  verdict"]
    for value in expected:
        found = "no row" if value.found is None else f"{value.found:.5f}"
        lines.append(f"{value.what:<72} {value.expected:>9.5f} {found:>9}  {value.verdict}")
    lines += ["", f"executed notebooks: {_shown(paths.REPORTS / run_name)}"]
    lines += [f"rows:               {_shown(results.published_file(run_name, 'x').parent)}"]
    lines += [f"figures:            {_shown(paths.FIGURES)}"]
    return "\n".join(lines)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the kernel, which inherits them, and put back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _unfinished(notebook: dict[str, Any]) -> str:
    """papermill leaves a half-run notebook looking finished: its metadata tells."""
    facts = notebook["metadata"].get("papermill", {})
    return "" if facts.get("end_time") and facts.get("exception") is None else "the notebook did not run to its end"


def _without_paths(content: str) -> str:
    """An executed notebook is shared: take the folders of this machine out of it."""
    for folder, name in [(paths.ROOT, "."), (Path.home(), "~")]:
        content = content.replace(str(folder), name)
    return content


def _one_line(name: str, text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[0] if lines else "no message"
    return message if name == "WorkbookError" else f"{name}: {message}"


def _absolute(value: str) -> str:
    """A relative folder is relative to where the command was given, but notebooks run in notebooks/."""
    return str(Path(value).resolve()) if Path(value).is_dir() else value


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)
