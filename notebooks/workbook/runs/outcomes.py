"""A run as the runner, the report and the README see it: its name, its files, how it ended, what its rows conclude."""

import hashlib
import os
import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from workbook import paths
from workbook.conclusions import across, answers, asked, asked_again, run_rows, summary
from workbook.conclusions.across import Comparison
from workbook.conclusions.answers import Answer
from workbook.conclusions.asked import Asked, Score
from workbook.conclusions.run_rows import Evidence
from workbook.conclusions.summary import Advice
from workbook.corpora import corpora, lines
from workbook.embedding import encoders, model_files
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics

UNFINISHED = "the notebook did not run to its end"
LONGEST_NAME = 200  # bytes; a file system allows 255, and what is being written is called something more
LONGEST_LIST = 100  # characters of names of several corpora; longer ones are told by their number and a hash


class Expected(NamedTuple):
    """A value the plan expects, what was found, and the verdict: OK, near or FAIL."""

    notebook: str
    what: str
    expected: float
    found: float | None
    verdict: str


class Outcome(NamedTuple):
    """How a notebook of a run ended: after how many seconds, and what was wrong, empty if nothing.

    `corpus` is that of the run, for what is printed.
    """

    run: str
    corpus: str
    notebook: str
    seconds: float
    error: str


class Conclusions(NamedTuple):
    """What the rows of a run conclude: a claim, the line it rests on, the answers, and what keeps rows from being used.

    `asked` has by corpus what was asked of its rows; of several corpora, the answers are those over all, and `compared`
    has their comparisons. `scores` and `advice` are what `rows`, those of `asked.score_rows`, say; None for no advice.
    `needed` says how many queries need attention; empty where notebook 07 was not run.
    """

    evidence: Evidence
    problems: list[str]
    claim: str
    intervals: str
    answers: list[Answer]
    asked: dict[str, Asked]
    compared: list[Comparison]
    rows: pd.DataFrame
    scores: list[Score]
    advice: Advice | None
    needed: list[str]

    @property
    def transformer(self) -> str:
        """The name of the transformer that is compared with; empty if there is none."""
        return next(iter(self.asked.values())).transformer


def run_name(profile: str, overrides: Mapping[str, str]) -> str:
    """Name of a run: the folder of its executed notebooks and of its rows. What is in a folder goes by its content."""
    named = {"corpus": _corpora_name, "static_model": _model_name, "engine_name": str}
    parts = [named[what](value) for what, value in overrides.items()]
    name = "+".join([profile, *parts])
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise WorkbookError(f"{name} is too long for the name of a folder: give the corpus or model a shorter one")
    return name


def corpora_in(given: str) -> list[str]:
    """The corpora of a text with commas between them; a path that is there is one, whatever its name."""
    if paths.exists(Path(given)):
        return [given]
    return [name for name in re.split(r"\s*,\s*", given.strip()) if name]


def _corpora_name(given: str) -> str:
    names = [corpus_name(value) for value in corpora_in(given)]
    whole = ",".join(names)
    short = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return whole if len(names) < 2 or len(whole) <= LONGEST_LIST else f"{len(names)}-corpora-{short}"


def corpus_name(value: str) -> str:
    """A name for the run of a corpus: a registered one's own, a folder's or a file's with a hash of its content."""
    place = Path(value)
    if corpora.is_registered(value) or not paths.exists(place):
        return place.resolve().name
    qrels = sorted((place / "qrels").glob("*.tsv"))
    files = [place / "corpus.jsonl", place / "queries.jsonl", *qrels] if place.is_dir() else [place]
    digests = [digest(file) for file in filter(paths.is_file, files)]
    return corpora.slug(place.resolve().name, hashlib.sha256("".join(digests).encode()).hexdigest())


def _model_name(value: str) -> str:
    folder = None if value in encoders.MODELS else model_files.folder_named(value)
    if not folder:
        return value.replace("/", "--")
    return corpora.slug(folder.resolve().name, model_files.folder_sha256(folder))


def command_of(profile: str, overrides: Mapping[str, str]) -> str:
    """What one types for such a run."""
    given = {"PROFILE": profile if profile != "default" else "", "CORPUS": overrides.get("corpus", ""),
             "MODEL": overrides.get("static_model", ""), "ENGINE": overrides.get("engine_name", "")}  # fmt: skip
    return " ".join(["make run-notebooks", *(f"{name}={shlex.quote(value)}" for name, value in given.items() if value)])


def executed_file(run: str, notebook: str) -> Path:
    """Where a notebook is when it was executed, whole or with its error shown in it."""
    return paths.REPORTS / run / f"{notebook}.ipynb"


def forget(run: str, notebook: str) -> None:
    """Remove what an earlier run left of a notebook: if it does not end well now, nobody reads what was true before."""
    rows = results.published_file(run, notebook)
    for file in (executed_file(run, notebook), rows, *(rows.with_suffix(end) for end in (".machine.json", ".inputs"))):
        file.unlink(missing_ok=True)


def running_file(run: str, notebook: str) -> Path:
    """Where a notebook is while it runs, or was when its run was killed: not yet fit to be shared."""
    return paths.DATA / "running" / run / f"{notebook}.ipynb"


def digest(file: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with lines.opened(file) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def error_of(notebook: Mapping[str, Any]) -> str:
    """What is wrong with how a notebook ended, in a line, or nothing.

    A notebook without an error may still be half run: papermill leaves it looking finished.
    """
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        if output["output_type"] == "error":
            return one_line(output["ename"], output["evalue"])
    facts = notebook["metadata"].get("papermill", {})
    return "" if facts.get("end_time") and facts.get("exception") is None else UNFINISHED


def one_line(name: str, text: str) -> str:
    """An error in a line: its name, unless it is the workbook's own, and the first line of its message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[0] if lines else "no message"
    return message if name == "WorkbookError" else f"{name}: {message}"


def compare_all(
    plan: Mapping[str, Any], profile: str, overrides: Mapping[str, str], finished: Mapping[str, str], run: str
) -> list[Expected]:  # fmt: skip
    """Compare the expected values of the notebooks that finished, given the name of the corpus that each was run on.

    None if the profile was run with another corpus; a value that is expected of a corpus is compared on that one alone.
    """
    entries = [] if overrides else plan.get("expected", [])
    return [
        _compare(entry, run)
        for entry in entries
        if entry["profile"] == profile
        and (corpus := finished.get(entry["notebook"])) is not None
        and entry["where"].get("corpus", corpus) == corpus
    ]


def _compare(entry: Mapping[str, Any], run: str) -> Expected:
    """Compare one expected value of the plan with the row that the notebook published in this run."""
    where, metric = entry["where"], entry["metric"]
    what = f"{metric} of {', '.join(str(value) for value in where.values())}"
    try:
        frame = results.read_rows(results.published_file(run, entry["notebook"]))
    except (OSError, ValueError):  # no rows, or none that can be read
        frame = pd.DataFrame(columns=results.HEADER)
    for column, value in {**where, "metric": metric}.items():
        frame = frame[frame[column] == (value if column in results.NUMBERS else str(value))]
    if len(frame) != 1:
        return Expected(entry["notebook"], what, entry["value"], None, "FAIL")
    found = float(frame["value"].iloc[0])
    off = abs(found - entry["value"])
    verdict = "OK" if off <= entry["tolerance"] else "near" if off <= entry.get("near", 0) else "FAIL"
    return Expected(entry["notebook"], what, entry["value"], found, verdict)


def measuring(notebooks: Collection[str]) -> list[str]:
    """Those of the notebooks that measure, in order: the others read their rows."""
    return [name for name in run_rows.needed() if name in notebooks]


def conclude(run: str, notebooks: Collection[str] | None = None, margin: float = statistics.MARGIN) -> Conclusions:
    """Answer the questions from the rows of a run, of these notebooks, or of all that publish rows."""
    found = run_rows.read_each(run, notebooks)
    evidence = run_rows.together(run, found)
    problems, abouts = list(evidence.problems), {}
    for corpus, own in found.items():
        methods, left_out = asked.methods(own)
        problems += [f"{corpus}: {problem}" if len(found) > 1 else problem for problem in left_out]
        abouts[corpus] = asked.of(own, methods, margin)
    several = {corpus: about for corpus, about in abouts.items() if about.transformer}
    if len(found) > 1 and several:
        evidence = run_rows.together(run, {corpus: found[corpus] for corpus in several})
    abouts = several or dict(list(abouts.items())[:1])
    about = next(iter(abouts.values()))
    twice = asked_again.measured(abouts)
    compared = [*across.compare(abouts), *asked_again.compare(twice)] if len(abouts) > 1 else []
    said = summary.claim_over(compared, margin) if compared else summary.claim(about)
    answered = across.answer(compared, abouts) if compared else answers.answer(about)
    rows = asked.score_rows(abouts, summary.methods(abouts, compared))
    scores = asked.scores(rows, about.transformer)
    advice = summary.advice(abouts, compared, scores)
    intervals, needed = summary.intervals(abouts, compared), asked_again.needed(twice, margin)
    return Conclusions(evidence, problems, said, intervals, answered, abouts, compared, rows, scores, advice, needed)


def verdicts(run: str, outcomes: list[Outcome], expected: list[Expected], several: bool) -> str:
    """How a run ended, as a table for the terminal; with the corpora's names if there are several."""
    names = [f"{o.corpus}: {o.notebook}" if several else o.notebook for o in outcomes]
    width = max(map(len, [*names, " " * 30]))
    lines = ["", f"{'notebook':<{width}} {'verdict':<8} {'seconds':>7}"]
    for name, o in zip(names, outcomes, strict=True):
        lines.append(f"{name:<{width}} {'FAIL' if o.error else 'OK':<8} {o.seconds:>7.0f}")
    if expected:
        lines += ["", f"{'expected value':<72} {'wanted':>9} {'found':>9}  verdict"]
    for value in expected:
        found = "no row" if value.found is None else f"{value.found:.5f}"
        lines.append(f"{value.what:<72} {value.expected:>9.5f} {found:>9}  {value.verdict}")
    lines += ["", f"executed notebooks: {_shown(paths.REPORTS / run)}"]
    lines += [f"rows:               {_shown(results.published_file(run, 'x').parent)}"]
    lines += [f"figures:            {_shown(paths.FIGURES)}"]
    return "\n".join(lines)


def concluded(profile: str, overrides: Mapping[str, str], notebooks: Collection[str]) -> str:
    """What a run found, and the command that shows all of it, for the end of the terminal; `notebooks` are its own."""
    lines, measured = [], measuring(notebooks)
    if measured:
        try:
            found = conclude(run_name(profile, overrides), measured)
            lines = ["", found.claim, *(f"Incomplete: {problem}" for problem in found.problems)]
        except WorkbookError as error:
            lines = ["", f"Incomplete: {error}"]
    command = command_of(profile, overrides).replace("run-notebooks", "report", 1)
    return "\n".join([*lines, "", f"Make the report, in seconds: {command}"])


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.ROOT) if path.is_relative_to(paths.ROOT) else path)
