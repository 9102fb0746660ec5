"""What a run keeps of how a notebook ended: whether it need not be run again, and how long its rows took to measure."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from workbook import paths
from workbook.embedding import encoders
from workbook.evaluation import results
from workbook.runs import parameters
from workbook.runs.outcomes import digest, error_of, executed_file
from workbook.runs.plan import Job

PACKAGE = Path(__file__).parent.parent


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
