"""Runs the plan: profile -> notebooks with their parameters -> papermill -> expected values -> one verdict table.

Everything is validated before the first notebook starts; a notebook that fails does not stop the next; anything that
failed makes the exit code 1.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil

from workbook import locks, paths, redact
from workbook.conclusions import run_rows
from workbook.corpora.corpora import Corpus
from workbook.embedding import encoders, model_files
from workbook.errors import WorkbookError
from workbook.experiments import grid, ingest_runs
from workbook.names import ACROSS, VERDICT
from workbook.runs import parameters, parts
from workbook.runs.kept import Kept, note_time
from workbook.runs.outcomes import (
    Outcome,
    compare_all,
    error_of,
    executed_file,
    forget,
    one_line,
    run_name,
    running_file,
    verdicts,
)
from workbook.runs.parts import Part
from workbook.runs.plan import PLAN, Job, read

KERNEL = "python3"
LONG = 1.0  # seconds of encoding, from which on their pace tells how long the rest takes
# Bars belong to a terminal or JupyterLab; in an executed notebook they are noise.
QUIET = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def run(profile: str, overrides: Mapping[str, str], only: list[str], plan_file: Path = PLAN) -> int:
    """Run a profile and print its verdicts. Returns the exit code, 0 or 1.

    `overrides`: corpus, static_model, engine_name.
    Of several corpora, one that cannot be loaded is told, and the others go on; a notebook that ended well on one of
    them is not run again while all that decides it is the same, unless it is asked for by `only`.
    Raises WorkbookError, before anything starts, for what cannot work.
    """
    plan = read(plan_file)
    planned = parts.of(plan, profile, overrides, only)
    paths.check_writable()
    with locks.alone(paths.DATA):  # the times of two runs side by side would be those of neither
        paths.remove_old_temporaries()
        name, several = run_name(profile, overrides), len(planned) > 1
        contents, lost = fetch(planned)
        if any("corpus" in job.parameters for part in planned for job in part.jobs):
            members = {part.run: lost.get(part.run, "") for part in planned if part.corpus}
            run_rows.write_members(name, members, plan["profiles"][profile]["notebooks"])
        outcomes = _execute_all(planned, lost, {} if only else contents)
        expected = []
        for part in planned:
            ended = [outcome.notebook for outcome in outcomes if outcome.run == part.run and not outcome.error]
            finished = {job.notebook: part.corpus_of(job) for job in part.jobs if job.notebook in ended}
            expected += compare_all(plan, profile, overrides, finished, part.run)
    print(verdicts(name, outcomes, expected, several))
    return int(any(outcome.error for outcome in outcomes) or any(value.verdict == "FAIL" for value in expected))


def _execute_all(planned: list[Part], lost: Mapping[str, str], contents: Mapping[str, str]) -> list[Outcome]:
    """Execute the notebooks of all parts in turn, and print how each ends and how long the others will take.

    `contents`: hashes of the corpora of those parts whose notebooks need not be run again, by run.
    """
    todo = [(part, job) for part in planned for job in part.jobs]
    outcomes: list[Outcome] = []
    for number, (part, job) in enumerate(todo, start=1):
        what = f"{part.name}: {job.notebook}" if len(planned) > 1 else job.notebook
        print(f"[{number}/{len(todo)}] {what}{_left(outcomes, [each.notebook for _, each in todo])} ...", flush=True)
        kept = Kept(part.run, job, contents.get(part.run, "") if part.corpus else "")
        if part.run in lost:
            forget(part.run, job.notebook)
            outcomes.append(Outcome(part.run, part.name, job.notebook, 0.0, lost[part.run]))
        elif kept.holds():
            outcomes.append(Outcome(part.run, part.name, job.notebook, 0.0, ""))
        else:
            outcomes.append(execute(part, job))
            if not outcomes[-1].error:
                kept.write()
        last = outcomes[-1]
        ended = "OK, as it was run before" if not (last.error or last.seconds) else f"OK ({last.seconds:.0f} s)"
        print(f"      {'FAILED: ' + last.error if last.error else ended}", flush=True)
    return outcomes


def _left(outcomes: list[Outcome], notebooks: list[str]) -> str:
    """About how long the rest of a run takes, judged by the same notebooks on other corpora; nothing where none ran."""
    ran: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.seconds and not outcome.error:
            ran.setdefault(outcome.notebook, []).append(outcome.seconds)
    rest = notebooks[len(outcomes) :]
    if not all(name in ran or name in (VERDICT, ACROSS) for name in rest) or not outcomes:
        return ""
    return _about(sum(np.mean(ran[name]) for name in rest if name in ran) or 1)


def fetch(planned: list[Part]) -> tuple[dict[str, str], dict[str, str]]:
    """Get ready what takes long, here where its progress can be seen: corpora, encoded texts, runs of many documents.

    Returns hashes of the corpora by run, and by run what is wrong with those that cannot be used, if others can.
    Raises WorkbookError, before the first text is encoded, if none can, for a model that cannot be opened, a hub out of
    reach, a corpus that is there twice, and more documents than the machine has room for.
    """
    jobs = [job for part in planned for job in part.jobs]
    large = [
        job for values in jobs if "documents" in values.parameters for job in parameters.scale_jobs(values.parameters)
    ]
    for job in large:
        ingest_runs.check_room(job)
    for model in sorted({job.parameters.get(name, "") for job in jobs for name in parameters.MODELS} - {""}):
        model_files.check_reachable(model)
        if model not in encoders.MODELS or encoders.load(model).folder:
            parameters.try_model(model)
    found, lost = _load_all([part for part in planned if any("corpus" in job.parameters for job in part.jobs)])
    lost |= _encode_all(found)
    for each in large:
        print(f"{each.label}, time {each.repeat + 1}: encode, store and index", flush=True)
        ingest_runs.measure(each)
    contents = {part.run: " ".join(corpus.sha256 for _, corpus in searched) for part, searched in found}
    return contents, lost


def _encode_all(found: list[tuple[Part, list]]) -> dict[str, str]:
    """Encode what each part searches with each of its models, and print about how long the rest will take.

    Returns what is wrong with corpora that cannot be encoded, by run. Raises WorkbookError if there is only one corpus.
    """
    lost: dict[str, str] = {}
    models = {name: encoders.load(name) for name in dict.fromkeys(
        name for _, searched in found for values, _ in searched for name in parameters.searched_with(values)
    )}  # fmt: skip
    todo = [
        (number, part, corpus, models[name])
        for number, (part, searched) in enumerate(found, start=1)
        for values, corpus in searched
        for name in parameters.searched_with(values)
        if not models[name].speed_only
    ]
    pace: dict[str, float] = {}  # seconds a character of each model, where it took long enough to tell
    for place, (number, part, corpus, encoder) in enumerate(todo):
        if part.run in lost:
            continue
        left = sum(pace.get(model.name, 0) * _characters(other) for _, _, other, model in todo[place:])
        of_all = f", {part.name}, corpus {number} of {len(found)}" * (len(found) > 1)
        print(f"vectors of {encoder.name}{of_all}{_about(left)}", flush=True)
        started = time.perf_counter()
        try:
            grid.encode(corpus, encoder)
        except WorkbookError as error:
            if not part.corpus:
                raise
            lost[part.run] = str(error)
            print(f"      cannot be used: {error}", flush=True)
        if (seconds := time.perf_counter() - started) > LONG:
            pace[encoder.name] = seconds / _characters(corpus)
    return lost


def _characters(corpus: Corpus) -> int:
    return sum(map(len, [*corpus.document_texts, *corpus.query_texts]))


def _about(seconds: float) -> str:
    """Time that is left, for what is printed; nothing where it is not known."""
    if not seconds:
        return ""
    return f", about {seconds / 60:.0f} minutes left" if seconds >= 90 else ", under two minutes left"


def _load_all(planned: list[Part]) -> tuple[list, dict[str, str]]:
    """Load what each part searches: parts with (parameters, corpus), and what is wrong with the others, by run."""
    found, lost, loaded = [], {}, {}
    for part in planned:
        searching = [job.parameters for job in part.jobs if "corpus" in job.parameters]
        own = []
        try:
            for values in {
                json.dumps(parameters.searched(values), sort_keys=True): values for values in searching
            }.values():
                print(f"corpus {Path(values['corpus']).name}", flush=True)
                own.append((values, parameters.load_corpus(values)))
            for values in searching:
                parameters.check_read_later(values)
        except WorkbookError as error:
            if not part.corpus:
                raise
            lost[part.run] = str(error)
            print(f"      cannot be used: {error}", flush=True)
            continue
        for sha256 in {corpus.sha256 for _, corpus in own}:
            if (other := loaded.setdefault(sha256, part)) is not part:
                raise WorkbookError(f"{other.name} and {part.name} hold the same corpus: take one out")
        found.append((part, own))
    if lost and not loaded:
        raise WorkbookError(f"none of the corpora can be used; the first: {next(iter(lost.values()))}")
    return found, lost


def execute(part: Part, job: Job) -> Outcome:
    """Execute one notebook into reports/<run of the part>/, whole or with its error shown in it."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    file = executed_file(part.run, job.notebook)
    running = running_file(part.run, job.notebook)
    forget(part.run, job.notebook)
    running.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    try:
        with (
            _environment({**QUIET, **_folders(), "WORKBOOK_RUN": part.run}),
            suppress(PapermillExecutionError),  # what failed stands in the notebook
        ):
            _interruptible(
                papermill.execute_notebook, str(paths.NOTEBOOKS / f"{job.notebook}.ipynb"), str(running),
                parameters=job.parameters, kernel_name=KERNEL, cwd=str(paths.NOTEBOOKS),
                progress_bar=sys.stderr.isatty(), log_output=False, execution_timeout=job.cell_timeout,
                extra_arguments=["--log-level=CRITICAL"],
            )  # fmt: skip
        error = error_of(json.loads(running.read_text(encoding="utf-8")))
    except Exception as failure:  # a dead kernel or a cell over its time: the other notebooks still run
        error = one_line(type(failure).__name__, str(failure))
    finally:
        if running.exists():
            with paths.atomic(file) as temporary:
                given = [value for value in job.parameters.values() if isinstance(value, str)]
                places = [value for value in given if Path(value).is_absolute()]
                text = redact.clean(running.read_text(encoding="utf-8"), places)
                temporary.write_text(text, encoding="utf-8")
            running.unlink()
    took = time.perf_counter() - started
    if not error:
        note_time(part.run, job.notebook, took)
    return Outcome(part.run, part.name, job.notebook, took, error)


def _folders() -> dict[str, str]:
    """The folders that the environment names, absolute: a notebook runs in notebooks/, not where the command did."""
    folders = paths.outputs()
    if beir := os.environ.get("BEIR_DATA_DIR"):
        folders["BEIR_DATA_DIR"] = Path(beir).resolve()
    return {name: str(folder) for name, folder in folders.items()}


def _interruptible(work: Callable[..., object], *arguments: object, **options: object) -> None:
    """Do the work in a thread, where nbclient cannot take Ctrl-C for itself: it ends the kernel and nothing else.

    The next notebook would begin then, or this one end as if all were well.
    """
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, *arguments, **options)
        try:
            done.result()
        except KeyboardInterrupt:
            logging.disable()  # that the kernel died is no news
            for child in psutil.Process().children(recursive=True):
                if os.getsid(child.pid) != os.getsid(0):  # a kernel's: Python's own helpers end when this process does
                    child.kill()
            pool.shutdown()
            logging.disable(logging.NOTSET)
            raise


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
