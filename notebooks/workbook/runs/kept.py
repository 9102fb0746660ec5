"""What a run keeps: whether a notebook need not be run again, how long its rows took, and so how long a run will."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbook import paths
from workbook.embedding import encoders
from workbook.embedding.encoders import Encoder
from workbook.evaluation import results
from workbook.names import ACROSS, VERDICT
from workbook.runs import parameters
from workbook.runs.outcomes import Outcome, digest, error_of, executed_file
from workbook.runs.plan import Job

PACKAGE = Path(__file__).parent.parent
LONG = 1.0  # seconds of encoding, from which on they tell how long other texts take
TRIED = 16  # texts of an encoder whose pace is not known, encoded to learn it


class Kept(NamedTuple):
    """A notebook of a run of several corpora, and the hash of its corpus: whether it need not be run again.

    Without a corpus, and with a server, where what was there yesterday need not be there today, it is always run.
    """

    run: str
    job: Job
    corpus: str

    def holds(self) -> bool:
        """Whether it ended well when all that decides it was the same, and its rows are still there."""
        try:
            executed = json.loads(executed_file(self.run, self.job.notebook).read_text(encoding="utf-8"))
            results.read_rows(results.published_file(self.run, self.job.notebook))
            return not error_of(executed) and self._file.read_text(encoding="utf-8") == self._inputs() != ""
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def write(self) -> None:
        """Note what decided it, once it ended well."""
        if inputs := self._inputs():
            with paths.atomic(self._file) as temporary:
                temporary.write_text(inputs, encoding="utf-8")

    @property
    def _file(self) -> Path:
        return results.published_file(self.run, self.job.notebook).with_suffix(".inputs")

    def _inputs(self) -> str:
        given = self.job.parameters
        more = given.get("labelled_split") or given.get("other_corpus")  # whose content is not looked at here
        if not self.corpus or more or given.get("engine_name") == "server":
            return ""
        sources = sorted([*PACKAGE.rglob("*.py"), paths.NOTEBOOKS / f"{self.job.notebook}.ipynb"])
        sources += [paths.NOTEBOOKS / "workbook.mplstyle", paths.ROOT / "requirements.txt"]
        sources += sorted((paths.ROOT / "data").glob("*.csv"))
        models = [encoders.load(given[name]).revision for name in parameters.MODELS if given.get(name)]
        told = [self.corpus, given, models, results.machine(), *map(digest, filter(paths.is_file, sources))]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def note_time(run: str, notebook: str, seconds: float) -> None:
    """Keep how long a notebook took that ended well. Of runs with the same rows the longest: the others read."""
    file = results.published_file(run, notebook)
    told = {"rows": digest(file) if file.is_file() else "", "seconds": seconds}
    before = _noted(run, notebook)
    if before.get("rows") == told["rows"]:
        told["seconds"] = max(seconds, before["seconds"])
    with paths.atomic(_time_file(run, notebook)) as temporary:
        temporary.write_text(json.dumps(told), encoding="utf-8")


def seconds_of(run: str, notebook: str) -> float | None:
    """Seconds that a notebook took to measure its rows; None where that is not known."""
    return _noted(run, notebook).get("seconds")


def _noted(run: str, notebook: str) -> dict[str, Any]:
    try:
        told = json.loads(_time_file(run, notebook).read_text(encoding="utf-8"))
        return {"rows": str(told["rows"]), "seconds": max(0.0, float(told["seconds"]))}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _time_file(run: str, notebook: str) -> Path:
    return results.published_file(run, notebook).with_suffix(".time.json")


class Left:
    """How long the rest of a run takes: by the same notebooks on other corpora, or by an earlier run of it."""

    def __init__(self, todo: Sequence[tuple[str, str]]):
        """`todo`: run and notebook of all that will be run, in order."""
        self._todo = list(todo)
        self._before = {each: seconds for each in todo if (seconds := seconds_of(*each))}

    def told(self, outcomes: Sequence[Outcome]) -> str:
        """About how long is left after these outcomes, for what is printed; nothing where it is not known.

        An earlier run may have measured what is now read: what took a share of its time then is taken to do so again.
        """
        ran: dict[str, list[float]] = {}
        for outcome in outcomes:
            if outcome.seconds and not outcome.error:
                ran.setdefault(outcome.notebook, []).append(outcome.seconds)
        both = [(one.seconds, self._before[one.run, one.notebook]) for one in outcomes if self._is_told(one)]
        now, then = map(sum, zip(*both, strict=True)) if both else (1, 1)
        rest = self._todo[len(outcomes) :]
        known = [float(np.mean(ran[name])) if name in ran else self._before.get((run, name), 0) * now / then
                 for run, name in rest]  # fmt: skip
        if not all(seconds or name in (VERDICT, ACROSS) for seconds, (_, name) in zip(known, rest, strict=True)):
            return ""
        return about(sum(known), "about" if outcomes else "up to")

    def _is_told(self, one: Outcome) -> bool:
        return bool(one.seconds and not one.error and (one.run, one.notebook) in self._before)


class Pace:
    """Seconds that an encoder needs for texts, by their length: of this run or an earlier one, else tried on a few."""

    def __init__(self):
        self._file = paths.DATA / "results" / "pace.json"
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            self._pace = {str(name): max(0.0, float(seconds)) for name, seconds in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._pace = {}

    def seconds(self, encoder: Encoder, texts: Sequence[str]) -> float:
        """About how long it takes to encode texts; 0 for a static model, which takes none to speak of, if not known."""
        if encoder.name not in self._pace and encoder.kind != "static":
            few = texts[:: max(1, len(texts) // TRIED)][:TRIED]
            encoder.encode(few[:1], "document")  # load it
            started = time.perf_counter()
            encoder.encode(few, "document")
            self._pace[encoder.name] = (time.perf_counter() - started) / sum(map(len, few))
        return self._pace.get(encoder.name, 0) * sum(map(len, texts))

    def note(self, encoder: Encoder, texts: Sequence[str], seconds: float) -> None:
        """Keep how long it took, unless the texts were found encoded."""
        if seconds > LONG:
            self._pace[encoder.name] = seconds / sum(map(len, texts))
        with paths.atomic(self._file) as temporary:
            temporary.write_text(json.dumps(self._pace), encoding="utf-8")


def about(seconds: float, how: str = "about") -> str:
    """Time that is left, for what is printed; nothing where it is not known."""
    if not seconds:
        return ""
    return f", {how} {round(seconds / 60)} min left" if seconds >= 60 else ", less than a minute left"
