"""What a run published: the rows of all its notebooks, and what keeps some of them from being used together.

Times compare only on one machine with one set of packages. Where a run has rows of several, those of this machine are
kept if there are any, else those of the machine that most notebooks were run on; of several corpora, those of the one
that most rows are of, and of several models of one name, likewise. Corpora and models are told apart by their content:
their hashes stand in the rows. The others are left out and named.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from pandas.io.formats.style import Styler

from workbook import paths, redact, written
from workbook.errors import one_line
from workbook.evaluation import results
from workbook.names import ACROSS, VERDICT, short

TOLD = {"published", "schema"}  # in the file beside the rows, but not of the machine


class Evidence(NamedTuple):
    """Rows of a run in the long format of `results`, the facts beside them by notebook, and sentences on what is wrong.

    `machines` has the notebooks whose rows are kept: what `results.machine` gave there, and when they were `published`.
    """

    run: str
    rows: pd.DataFrame
    machines: dict[str, dict[str, Any]]
    problems: list[str]

    @property
    def corpus(self) -> str:
        """The corpus of the rows, or several with commas; empty if there are none."""
        return ", ".join(_corpus(own)[0] for _, own in self.rows.groupby("run", sort=False))

    @property
    def slug(self) -> str:
        """A name for files of the corpus, see `Corpus.slug`; of several the run's."""
        return self.run if len(self.rows["run"].unique()) > 1 else results.corpus_slug(*_corpus(self.rows))

    @property
    def machine(self) -> str:
        """The machine of the rows in one line, for captions; empty if there are none."""
        return next((results.label_of(facts) for facts in self.machines.values()), "")


def needed() -> list[str]:
    """The notebooks that measure and publish rows: all numbered ones but those that read them."""
    return sorted({file.stem for file in paths.NOTEBOOKS.glob("0*.ipynb")} - {VERDICT, ACROSS})


def runs() -> list[str]:
    """Names of the runs that have rows of a notebook that measures, the latest first; several corpora are one run."""
    folder = results.published_file("", "x").parent
    files = [file for pattern in ("*/*.csv", "*/*/*.csv") for file in folder.glob(pattern) if file.stem in needed()]
    found: dict[str, int] = {}
    for file in sorted(files):
        name = file.relative_to(folder).parts[0]
        found[name] = max(found.get(name, 0), file.stat().st_mtime_ns)
    return sorted(found, key=lambda name: -found[name])


def members(run: str) -> dict[str, str]:
    """The runs of single corpora that a run of several has, and what kept each from being run, empty if nothing.

    A run of one corpus has none.
    """
    return _told(run)[0]


def write_members(run: str, found: Mapping[str, str], notebooks: Iterable[str] = ()) -> None:
    """Write what `members` reads, and which notebooks each corpus is run with."""
    told = {"corpora": dict(found), "notebooks": [name for name in needed() if name in notebooks]}
    with paths.atomic(_members_file(run)) as temporary:
        temporary.write_text(redact.clean(json.dumps(told, indent=1)), encoding="utf-8")


def _told(run: str) -> tuple[dict[str, str], list[str] | None]:
    """The members, and the notebooks that each is run with; None where that is not known."""
    try:
        found = json.loads(_members_file(run).read_text(encoding="utf-8"))
        members = {str(name): str(problem) for name, problem in found["corpora"].items()}
        return members, [str(name) for name in found["notebooks"]] or None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, None


def _members_file(run: str) -> Path:
    return results.published_file(run, "x").with_name("corpora.json")


def latest() -> str:
    """The run that the runner started this process for; in JupyterLab the latest that has rows."""
    found = runs()
    return found[0] if found and not results.is_of_a_run() else results.run_name()


def read(run: str, notebooks: Sequence[str] | None = None) -> Evidence:
    """The rows of a run that go together, of these notebooks, or of all that publish rows.

    Never raises: what is missing or does not fit is among the problems.
    """
    frames, machines, problems = {}, {}, []
    for notebook in needed() if notebooks is None else notebooks:
        file = results.published_file(run, notebook)
        try:
            frames[notebook], machines[notebook] = _read(file)
        except FileNotFoundError:
            problems.append(f"{notebook} has no rows in run {run}: it was not run, or not to its end.")
        except (OSError, TypeError, ValueError, RecursionError) as error:
            problems.append(
                f"The rows of {notebook} in run {run} cannot be used ({one_line(str(error))}): run it again."
            )
    kept = _of_one_machine(machines)
    for notebook in [name for name in machines if name not in kept]:
        other = next(machines[name] for name in kept)
        problems.append(
            f"{notebook} was run on another machine than the rest ({_difference(machines[notebook], other)}): "
            f"its rows are left out; run it again here."
        )
    told = {notebook: _corpus(frames[notebook]) for notebook in kept}
    sizes = Counter()
    for notebook in kept:
        sizes[told[notebook]] += len(frames[notebook])
    main = sizes.most_common(1)[0][0] if sizes else ("", "")
    for notebook in [name for name in kept if told[name] != main]:
        kept.remove(notebook)
        one, other = _apart(told[notebook], main)
        problems.append(
            f"{notebook} was run on another corpus than the rest ({one}, not {other}): "
            f"its rows are left out; run it again on {main[0]}."
        )
    for notebook, name, one, other in _other_models({notebook: frames[notebook] for notebook in kept}):
        kept.remove(notebook)
        problems.append(
            f"{notebook} was run with another model called {name} than the rest (revision {one}, not {other}): "
            f"its rows are left out; run it again with the same model."
        )
    rows = [frames[notebook] for notebook in kept]
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(results.HEADER))
    return Evidence(run, whole, {name: machines[name] for name in kept}, problems)


def read_each(run: str, notebooks: Sequence[str] | None = None) -> dict[str, Evidence]:
    """The rows of each corpus of a run, by the corpus's name; those of a run of one corpus by its own.

    Of a corpus that could not be run there are none, whatever an earlier run left.
    """
    found: dict[str, Evidence] = {}
    lost, planned = _told(run)
    for name in lost or [run]:
        evidence = read(name, planned if notebooks is None else notebooks)
        if lost.get(name):
            evidence = Evidence(name, evidence.rows.iloc[:0], {}, [])
        corpus = evidence.corpus or name.rpartition("/")[2]
        found[name.rpartition("/")[2] if corpus in found else corpus] = evidence
    return found


def together(run: str, found: Mapping[str, Evidence]) -> Evidence:
    """The rows of several corpora in one frame, with what is wrong with each; of one corpus they stay as they are."""
    lost = members(run)
    if not lost:
        return next(iter(found.values()))
    problems = [f"{name.rpartition('/')[2]} was not run: {why}" for name, why in lost.items() if why]
    each = {corpus: [text.replace(own.run, run) for text in own.problems] for corpus, own in found.items()}
    count = Counter(problem for own in each.values() for problem in own)
    problems += [problem for problem in count if count[problem] == len(each)]
    for corpus, own in each.items():
        problems += [f"{corpus}: {problem}" for problem in own if count[problem] < len(each)]
    machines = {
        f"{corpus}: {name}": {**facts, "run": own.run}
        for corpus, own in found.items() for name, facts in own.machines.items()
    }  # fmt: skip
    return Evidence(run, pd.concat([own.rows for own in found.values()], ignore_index=True), machines, problems)


def what_is_read(evidence: Evidence) -> Styler:
    """The first output of a notebook that reads: run, corpus, and how many rows of when and where each other has."""
    facts = {"run": evidence.run, "corpus": evidence.corpus, "read on": results.machine_label()}
    for notebook, machine in evidence.machines.items():
        corpus, _, name = notebook.rpartition(": ")
        own = evidence.rows[evidence.rows["notebook"] == name]
        count = (own["run"] == machine["run"]).sum() if corpus else len(own)
        facts[notebook] = f"{count:,} rows of {machine['published']} on {results.label_of(machine)}"
    frame = pd.DataFrame.from_dict(facts, orient="index", columns=[""])
    return written.table(frame, "what-is-read").set_properties(**{"text-align": "left"})


def _read(file: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows and the facts beside them. Raises FileNotFoundError, or ValueError for anything of another schema."""
    frame = results.read_rows(file)
    facts = json.loads(file.with_suffix(".machine.json").read_text(encoding="utf-8"))
    told = isinstance(facts, dict) and {*results.machine(), *TOLD} - {"gpu"} <= set(facts)
    if not told or facts["schema"] != results.SCHEMA:
        raise ValueError(f"not of schema {results.SCHEMA}")
    return frame, facts


def _corpus(rows: pd.DataFrame) -> tuple[str, str]:
    """Name and hash of what a notebook was run on: its own corpus stands in its first row. Empty if there is none."""
    return next(rows[["corpus", "corpus_sha256"]].fillna("").itertuples(index=False, name=None), ("", ""))


def _apart(one: tuple[str, str], other: tuple[str, str]) -> list[str]:
    """Two corpora in words: their names, and where those are the same a short hash too."""
    return [f"{name} {short(sha256)}".strip() if one[0] == other[0] else name for name, sha256 in (one, other)]


def _other_models(frames: dict[str, pd.DataFrame]) -> list[tuple[str, str, str, str]]:
    """The notebooks that call another model by a name than most rows do: notebook, name, its revision and theirs."""
    count: dict[str, Counter] = {}
    used: dict[str, dict[str, str]] = {notebook: {} for notebook in frames}
    for notebook, frame in frames.items():
        for (name, revision), own in frame.groupby(["model", "model_revision"], sort=False):
            count.setdefault(name, Counter())[revision] += len(own)
            used[notebook][name] = revision
    main = {name: revisions.most_common(1)[0][0] for name, revisions in count.items()}
    found = []
    for notebook, names in used.items():
        other = next((name for name, revision in names.items() if revision != main[name]), None)
        if other is not None:
            found.append((notebook, other, names[other][:19], main[other][:19]))
    return found


def _of_one_machine(machines: dict[str, dict[str, Any]]) -> list[str]:
    """The notebooks run on this machine, or, if there are none, on the one that most of them were run on."""
    by_machine = {notebook: _machine(facts) for notebook, facts in machines.items()}
    here = json.dumps(results.plain(results.machine()), sort_keys=True)
    most = Counter(by_machine.values()).most_common(1)
    chosen = here if here in by_machine.values() else most[0][0] if most else ""
    return [notebook for notebook, machine in by_machine.items() if machine == chosen]


def _machine(facts: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in facts.items() if name not in TOLD}, sort_keys=True)


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What differs between two machines, for a sentence."""
    flat = [{**facts, **facts.get("packages", {})} for facts in (one, other)]
    names = [name for name in sorted(flat[0] | flat[1]) if name not in TOLD | {"packages"}]
    differ = [f"{name} {flat[0].get(name)}, not {flat[1].get(name)}" for name in names
              if flat[0].get(name) != flat[1].get(name)]  # fmt: skip
    return "; ".join(differ)
