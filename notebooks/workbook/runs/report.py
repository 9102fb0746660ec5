"""The report of a run: a page for each notebook, the rows beside them, and an index with verdicts and pictures.

It is built from what there is, notebooks that failed and rows that do not fit included, and says what is missing. The
same results give the same bytes. Everything is written through `redact`.
"""

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from workbook import paths, redact
from workbook.conclusions import asked, published, run_rows
from workbook.evaluation import results
from workbook.names import VERDICT
from workbook.runs import kept, outcomes, page, parts
from workbook.runs.parts import Part
from workbook.runs.plan import PLAN, Job, read

OK, NOT_RUN = "OK", "not run"
ZIP = "report.zip"


class Entry(NamedTuple):
    """A notebook of the run: its title, the notebook as executed or None, how it ended, and its rows or None.

    `seconds`: how long its rows took to measure, None where that is not known.
    """

    name: str
    title: str
    notebook: NotebookNode | None
    state: str
    rows: page.Rows | None
    seconds: float | None = None


class Corpus(NamedTuple):
    """A corpus of a run of several, for the index: its name, its own index, its claim, and how its run ended."""

    name: str
    page: str
    claim: str
    ended: str
    well: bool


class Built(NamedTuple):
    """What there is of a part of a run: notebooks, the values that are expected of it, and what its rows conclude.

    `counted` are the notebooks that its facts are of: of the part that reads over all corpora, those of each too.
    `asks`: whether the plan has the notebook that answers; without it nothing is asked.
    """

    entries: list[Entry]
    counted: list[Entry]
    values: list[outcomes.Expected]
    found: outcomes.Conclusions
    asks: bool

    @property
    def ended(self) -> str:
        return f"{sum(entry.state == OK for entry in self.counted)} of {len(self.counted)} notebooks"


def build(profile: str, overrides: Mapping[str, str], plan_file: Path = PLAN) -> Path:
    """Write reports/<run>/: index.html, a page for each notebook that was run, rows/, report.zip; returns the index.

    A run of several corpora has the same for each of them, in a folder of its own. The zip holds all of it, to be sent.
    Raises WorkbookError for a profile or an override that cannot be.
    """
    plan = read(plan_file)
    planned = parts.of(plan, profile, overrides, [], ask=False)
    notebooks = {job.notebook for part in planned for job in part.jobs}
    run, command = outcomes.run_name(profile, overrides), outcomes.command_of(profile, overrides)
    corpora, values, all_entries = [], [], []
    for part in planned:
        found = outcomes.conclude(part.run, outcomes.measuring(notebooks))
        entries = [_entry(job, part.run) for job in part.jobs]
        ended = {entry.name for entry in entries if entry.state == OK}
        finished = {job.notebook: part.corpus_of(job) for job in part.jobs if job.notebook in ended}
        own = outcomes.compare_all(plan, profile, overrides, finished, part.run)
        values, all_entries = [*values, *own], [*all_entries, *entries]
        own, counted = (own, entries) if part.corpus else (values, all_entries)
        built = Built(entries, counted, own, found, VERDICT in notebooks)
        index = _index(part, built, command, corpora)
        if part.corpus:
            place = index.relative_to(paths.REPORTS / run).as_posix()
            answer = found.claim if len(found.evidence.rows) else "There are no rows of this corpus."
            well = all(entry.state == OK for entry in entries)
            corpora.append(Corpus(found.evidence.corpus or part.name, place, answer, built.ended, well))
    _pack(index.parent)
    return index


def _pack(folder: Path) -> None:
    """Write report.zip: all pages and rows of a report, the same bytes for the same files; none without a page."""
    files = sorted(file for end in ("*.html", "*.csv") for file in folder.rglob(end))
    if len(files) < 2:
        (folder / ZIP).unlink(missing_ok=True)
        return
    with paths.atomic(folder / ZIP) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for file in files:
            named = zipfile.ZipInfo((folder.name / file.relative_to(folder)).as_posix())  # a fixed date: 1980
            packed.writestr(named, file.read_bytes(), zipfile.ZIP_DEFLATED)


def _index(part: Part, built: Built, command: str, corpora: list[Corpus]) -> Path:
    """Write the pages of a part and its index, which links to those of `corpora`."""
    run, found, entries = part.run, built.found, built.entries
    pages = [entry for entry in entries if entry.notebook is not None]
    for entry in entries:
        target = paths.REPORTS / run / f"{entry.name}.html"
        if entry in pages:
            _write(target, _page(entry, pages, run, found.evidence))
        else:
            target.unlink(missing_ok=True)  # of an earlier report
    ended = {entry.name: _ended(entry.state) for entry in entries if entry.state not in (OK, NOT_RUN)}
    problems = [f"{name} {how}." for name, how in ended.items()]
    problems += [problem for problem in found.problems if not any(name in problem for name in ended)]
    facts = _facts([entry for entry in built.counted if entry.notebook is not None], found.evidence)
    if corpora:
        facts.pop("corpus", None)
        facts = {"corpora": ", ".join(corpus.name for corpus in corpora), **facts}
    facts["ended well"] = built.ended
    if built.values:
        facts["as expected"] = f"{sum(value.verdict == OK for value in built.values)} of {len(built.values)} values"
    cards = [(entry, page.thumbnail(entry.notebook) if entry.notebook is not None else None) for entry in entries]
    verdict = next((entry.notebook for entry in pages if entry.name == VERDICT), None)
    asks = built.asks and len(found.evidence.rows) > 0
    index = page.template("index.html.j2").render(
        place=page.Place("", run, facts, problems, []), ok=OK, values=built.values, cards=cards, corpora=corpora,
        claim=found.claim if asks else "", intervals=found.intervals, picture=verdict and page.lead(verdict),
        scores=asked.table(found.scores, found.transformer), advice=found.advice,
        published=published.beside(found.rows, found.transformer),
        code=found.advice.code.strip() if found.advice else "",
        answered=found.answers if asks else [], zip=ZIP if pages and not part.corpus else "",
        command=command, others=[] if pages else [name for name in run_rows.runs() if name != run],
        is_one_of_several=bool(part.corpus), with_rows={entry.name for entry in entries if entry.rows},
    )  # fmt: skip
    return _write(paths.REPORTS / run / "index.html", index)


def _entry(job: Job, run: str) -> Entry:
    """A planned notebook as it is found in reports/<run>."""
    file = outcomes.executed_file(run, job.notebook)
    committed = nbformat.read(paths.NOTEBOOKS / file.name, as_version=4)
    title = page.title_of(committed) or job.notebook
    rows, seconds = _rows(job.notebook, run), kept.seconds_of(run, job.notebook)
    if not file.is_file():
        begun = outcomes.running_file(run, job.notebook).is_file()
        return Entry(job.notebook, title, None, "running, or was interrupted" if begun else NOT_RUN, rows)
    try:
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
        _check_told(notebook)
    except Exception as error:  # cut short or no notebook: nbformat raises whatever its parts raise
        state = f"cannot be read ({type(error).__name__}): it is cut short or no notebook; run it again"
        return Entry(job.notebook, title, nbformat.v4.new_notebook(), state, rows)
    error = outcomes.error_of(notebook)
    state = error.removeprefix("the notebook ") if error in ("", outcomes.UNFINISHED) else f"failed: {error}"
    if seconds is None:
        seconds = max(0.0, notebook.metadata.get("papermill", {}).get("duration") or 0)  # the clock was put back
    return Entry(job.notebook, page.title_of(notebook) or title, notebook, state or OK, rows, seconds)


def _check_told(notebook: NotebookNode) -> None:
    """Raise ValueError unless what papermill says of a run is of the kinds it writes, which nbformat does not check."""
    facts = notebook.metadata.get("papermill", {})
    kinds = {"parameters": dict, "duration": int | float, "end_time": str}
    told = all(facts.get(name) is None or isinstance(facts[name], kind) for name, kind in kinds.items())
    if not told or not abs(facts.get("duration") or 0) < 1e9:
        raise ValueError("not as papermill writes it")
    if not isinstance((facts.get("parameters") or {}).get("corpus", ""), str):
        raise ValueError("not as a run writes it")


def _rows(notebook: str, run: str) -> page.Rows | None:
    """Copy a notebook's rows beside its page, for anyone who wants to know where a number is from."""
    target = paths.REPORTS / run / "rows" / f"{notebook}.csv"
    try:
        text = results.published_file(run, notebook).read_text(encoding="utf-8")
        count = sum(1 for _ in csv.reader(io.StringIO(text))) - 1
    except (OSError, ValueError, csv.Error):
        target.unlink(missing_ok=True)
        return None
    _write(target, text)
    return page.Rows(notebook, f"rows/{notebook}.csv", max(count, 0))


def _page(entry: Entry, pages: list[Entry], run: str, found: run_rows.Evidence) -> str:
    problems = [problem for problem in found.problems if entry.name in problem]
    if entry.state != OK:
        problems.insert(0, f"This notebook {_ended(entry.state)}.")
    own = [entry.rows] if entry.name in run_rows.needed() else [other.rows for other in pages]
    number = pages.index(entry)
    neighbours = [pages[at] if 0 <= at < len(pages) else None for at in (number - 1, number + 1)]
    before, after = (one and (f"{one.name}.html", one.title) for one in neighbours)
    rows = [each for each in own if each]
    place = page.Place(entry.name, run, _facts([entry], found), problems, rows, before, after)
    return page.render(entry.notebook, entry.title, place)


def _ended(state: str) -> str:
    return state if state.startswith(("failed", "did not", "cannot")) else f"is {state}"


def _facts(entries: list[Entry], found: run_rows.Evidence) -> dict[str, str]:
    """What was run on which machine and when, of the notebooks and rows that say so."""
    executed = [entry.notebook.metadata.get("papermill", {}) for entry in entries if entry.notebook is not None]
    given = [(facts.get("parameters") or {}).get("corpus") for facts in executed]
    names = {entry.name for entry in entries}  # of several corpora, a machine's name begins with the corpus's
    machines = [facts for name, facts in found.machines.items() if name.rpartition(": ")[2] in names]
    machines = [f"{results.label_of(facts)}, Python {facts['python']}" for facts in machines]
    ends = sorted(str(facts["end_time"])[:16].replace("T", " ") for facts in executed if facts.get("end_time"))
    seconds = sum(entry.seconds or 0 for entry in entries if entry.notebook is not None)
    named = {
        "corpus": ", ".join(dict.fromkeys(Path(corpus).name for corpus in given if corpus)),
        "machine": "; ".join(dict.fromkeys(machines)),
        "run on": f"{ends[-1]} UTC" if ends else "",
        "took": f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds" if seconds else "",
    }
    return {name: value for name, value in named.items() if value}


def _write(target: Path, text: str) -> Path:
    with paths.atomic(target) as temporary:
        temporary.write_text(redact.clean(text), encoding="utf-8")
    return target
