"""The parts of a run: one for each of its corpora, and one for the notebooks that read over all of them.

A run of one corpus has one part. A run of several keeps the files and rows of each corpus as a run of its own, called
`<run>/<corpus>`, and `run_rows.members` tells which these are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workbook.conclusions import run_rows
from workbook.corpora import beir_sets
from workbook.errors import WorkbookError
from workbook.names import ACROSS
from workbook.runs.outcomes import corpora_in, corpus_name, run_name
from workbook.runs.plan import Job, prepare

LOCAL = "local"  # given instead of a corpus: every set in BEIR_DATA_DIR


class Part(NamedTuple):
    """Notebooks that go together: the run that their files and rows are of, its corpus as given, and the jobs.

    The part that reads over several corpora has no corpus.
    """

    run: str
    corpus: str
    jobs: list[Job]

    @property
    def name(self) -> str:
        """The corpus in a word, for what is printed."""
        return Path(self.corpus).name if self.corpus else "all corpora"

    def corpus_of(self, job: Job) -> str:
        """The name of the corpus that a job is run on, as expected values have it."""
        return Path(self.corpus or job.parameters.get("corpus", "")).name


def of(
    plan: dict[str, Any], profile: str, overrides: Mapping[str, str], only: list[str], ask: bool = True
) -> list[Part]:  # fmt: skip
    """The parts of a profile in the order in which they run, every parameter checked, see `plan.prepare`.

    A notebook without a corpus among its parameters reads over all corpora. If nothing is asked for (`ask`), only what
    was run is looked at: the corpora that the run was of need not be there any more.
    Raises WorkbookError for a corpus that is there twice, and for ACROSS with one corpus alone.
    """
    given = _given(plan, profile, overrides)
    if not ask and (members := run_rows.members(run_name(profile, overrides))):
        jobs = prepare(plan, profile, {**overrides, "corpus": "sample"}, only, ask)
        own = [Part(name, name.rpartition("/")[2], _of_a_corpus(jobs)) for name in members]
        return [*own, Part(run_name(profile, overrides), "", [job for job in jobs if job not in _of_a_corpus(jobs)])]
    corpora = beir_sets.local_sets() if given == LOCAL else corpora_in(given)
    if len(corpora) < 2:
        if ACROSS in only:
            raise WorkbookError(
                f"{ACROSS} compares corpora and this run has one: give more, as CORPUS=scifact,nfcorpus"
            )
        one = {} if corpora in ([], [given]) else {"corpus": corpora[0]}
        jobs = prepare(plan, profile, {**overrides, **one}, only, ask)
        return [Part(run_name(profile, overrides), "", [job for job in jobs if job.notebook != ACROSS])]
    planned: dict[str, list[Job]] = {}
    for corpus in corpora:
        try:
            planned[corpus] = prepare(plan, profile, {**overrides, "corpus": corpus}, only, ask)
        except WorkbookError as error:
            raise WorkbookError(f"corpus {Path(corpus).name}: {error}") from None
    run = run_name(profile, overrides)
    parts = [Part(f"{run}/{corpus_name(corpus)}", corpus, _of_a_corpus(planned[corpus])) for corpus in corpora]
    runs = [part.run for part in parts]
    if twice := next((part.name for part in parts if runs.count(part.run) > 1), None):
        raise WorkbookError(f"corpus {twice} is given twice: take one out")
    jobs = planned[corpora[0]]
    return [*parts, Part(run, "", [job for job in jobs if job not in _of_a_corpus(jobs)])]


def _of_a_corpus(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if "corpus" in job.parameters]


def _given(plan: dict[str, Any], profile: str, overrides: Mapping[str, str]) -> str:
    """What a run is given as its corpus; empty where the profile leaves that to its notebooks."""
    shared = plan["profiles"].get(profile, {}).get("parameters", {})
    given = overrides.get("corpus", shared.get("corpus", ""))
    return given if isinstance(given, str) else ""  # `prepare` refuses anything else
