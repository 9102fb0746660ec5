"""Others' numbers beside ours: published scores and claims about speed and size, each with its source.

A score is of one model on one set, stored and searched in one way: data/published.csv. A claim is a factor, which means
nothing without its rival and its texts: data/claims.csv. So each claim is measured twice: on the same kind of work, and
on equal terms - against the fastest variant of the small transformer on this machine, texts cut at the same token.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from workbook import paths
from workbook.embedding.models import MODELS
from workbook.errors import WorkbookError
from workbook.evaluation import results, statistics
from workbook.evaluation.statistics import Interval
from workbook.evaluation.stopwatch import Times
from workbook.experiments import footprint
from workbook.experiments.ingest_runs import Run, repeats_of
from workbook.names import BM25, BM25_TOKENS, TRAINED, plain, with_bm25
from workbook.qdrant.engine import FUSIONS

SCORES, CLAIMS = paths.ROOT / "data" / "published.csv", paths.ROOT / "data" / "claims.csv"
CLAIM_COLUMNS = ["id", "claim", "value", "unit", "claimed on", "documents", "source"]
SAME = 0.0005  # what rounding and float32 may differ by
SEARCHED = {  # setting and search of what others publish, in words
    ("float32", "exact"): "float32, exact",
    ("binary", "default-ef"): "one bit, HNSW, not rescored",
    ("sparse", "exact"): "words",
    ("sparse", "tokens"): "words, average length in tokens",
    ("fused", "rrf"): "float32, with words by RRF",
    ("fused", "dbsf"): "float32, with words by DBSF",
}
DIGITS = 5  # of a score, as others print it
OURS = list(Interval._fields)
_KEYS = ["corpus", "model", "setting", "search"]
_PARTIAL = ["method", "variant", "part", "scenario"]  # columns that a model's own score on a whole corpus leaves empty


def read_scores() -> pd.DataFrame:
    """The published values of NDCG@10: corpus, model, setting, search, value, publisher, source.

    Raises WorkbookError for a row without value, publisher or source.
    """
    frame = results.read_table(SCORES, {"value": float})
    if frame[["value", "publisher", "source"]].isna().any(axis=None):
        raise WorkbookError(f"{SCORES.name}: every published value needs its publisher and its source")
    return frame


def scores(corpus: str) -> dict[str, float]:
    """NDCG@10 that others published for a corpus, of whole float32 vectors or of BM25: model -> score.

    The first where there are several; nothing for a corpus nobody has published anything for.
    """
    frame = read_scores()
    own = frame[(frame["corpus"] == corpus) & frame["setting"].isin(["float32", "sparse"])]
    return own.drop_duplicates("model").set_index("model")["value"].to_dict()


def comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a run that stand beside published values, of one or of several corpora: one of each, in SEARCHED.

    They are NDCG@10 of whole vectors, of BM25, and of both fused, of models that others publish values of on that
    corpus. BM25 is named as a published value of it is.
    """
    rows = rows.reindex(columns=[*dict.fromkeys([*rows.columns, *_KEYS, *_PARTIAL, *OURS, "dimension"])])
    rows = rows[rows["metric"] == "ndcg@10"]
    own = rows[rows[_PARTIAL].isna().all(axis=1)]
    found = [own[own["dimension"] == own.groupby("model")["dimension"].transform("max")]]
    for search, label in (("exact", BM25), ("tokens", BM25_TOKENS)):
        found.append(rows[rows["method"] == label].assign(model=BM25, setting="sparse", search=search))
    whole = rows[(rows["setting"] == "float32") & (rows["search"] == "exact")]
    for how in FUSIONS:
        named = [with_bm25(model, how) for model in whole["model"]]
        found.append(whole[whole["method"] == named].assign(setting="fused", search=how))
    ours = pd.concat(found)
    forms = pd.MultiIndex.from_frame(ours[["setting", "search"]]).isin(list(SEARCHED))
    of_whom = ["corpus", "model"]
    known = pd.MultiIndex.from_frame(ours[of_whom]).isin(pd.MultiIndex.from_frame(read_scores()[of_whom]))
    return ours[forms & known].drop_duplicates(_KEYS)


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay the rows of one or several corpora beside each published value, a row each.

    Corpus, model, setting, search, publisher, source and `theirs` are those of `read_scores`; `value`, `low`, `high`
    and `n` are ours; `difference` is ours less theirs. The verdict is `same` within SAME, else `in our interval` or
    `outside our interval`; `not run` where the rows have no such score. A score of ours that nobody has published in
    that form, of a model that others publish on that corpus, is a row too, without a verdict.
    """
    published = read_scores().rename(columns={"value": "theirs"})
    table = published.merge(comparable(rows)[[*_KEYS, *OURS]], on=_KEYS, how="outer")
    table["difference"] = table["value"] - table["theirs"]
    table["verdict"] = [_verdict(row) for row in table.itertuples()]
    columns = ("corpus", "setting", "search", "model", "publisher")
    order = {name: list(dict.fromkeys(published[name])) for name in columns}
    order["setting"] = [setting for setting, _ in SEARCHED]
    return table.sort_values(list(order), key=lambda column: column.map(order[column.name].index, na_action="ignore"))


def scores_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The same as people read it: a row for each corpus, form and model, two columns for each who published values.

    Our score has its interval and its number of queries; each published value our difference and the verdict beside it.
    """
    compared = compare(rows)
    found = []
    for (corpus, model, *form), group in compared.groupby(_KEYS, sort=False):
        ours, not_run = group.iloc[0], group["value"].isna().all()
        row = {"corpus": corpus, "vectors": SEARCHED[tuple(form)], "model": model}
        row["here"] = "not run" if not_run else Interval.of(ours).text(DIGITS)
        row["queries"] = "" if not_run else f"{ours['n']:,.0f}"
        for each in group.dropna(subset="theirs").to_dict("records"):
            signed = statistics.formatted(each["difference"], f"+.{DIGITS}f")
            row[each["publisher"]] = f"{each['theirs']:.{DIGITS}f}"
            row[f"against {each['publisher']}"] = each["verdict"] if not_run else f"{signed}, {each['verdict']}"
        found.append(row)
    publishers = dict.fromkeys(compared["publisher"].dropna())
    beside = [name for each in publishers for name in (each, f"against {each}")]
    return pd.DataFrame(found, columns=["corpus", "vectors", "model", "here", "queries", *beside]).fillna("")


def beside(rows: pd.DataFrame, transformer: str) -> str:
    """What others published of static models that were not run, beside ours on the same corpora; "" where nobody did.

    `rows` are those of `asked.score_rows`. A sentence without intervals: nobody published any.
    """
    if rows.empty:
        return ""
    ours = rows[rows["metric"] == "ndcg@10"].set_index(["method", "corpus"])["value"]
    theirs = pd.DataFrame({corpus: scores(corpus) for corpus in rows["corpus"].unique()})
    theirs = theirs.dropna(axis="columns", how="all").dropna()
    found = {name: theirs.loc[name].mean() for name in theirs.index if name in MODELS and MODELS[name].kind == "static"}
    if not found:
        return ""
    shown = [label for label in (TRAINED, transformer) if label in ours]
    here = [f"{plain(label)} {ours[label].reindex(theirs.columns).mean():.3f}" for label in shown]
    said = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    return (
        f"Mean NDCG@10 that others published on {', '.join(theirs)}, not run here: {said}. Here, on the same: "
        f"{', '.join(here)}."
    )


def read_claims() -> pd.DataFrame:
    """The claims, by id. Raises WorkbookError for a claim without its value, work or source."""
    frame = results.read_table(CLAIMS, {"value": float, "documents": float})
    if list(frame.columns) != CLAIM_COLUMNS or frame.drop(columns="documents").isna().any(axis=None):
        raise WorkbookError(f"{CLAIMS.name}: every claim needs {', '.join(CLAIM_COLUMNS)}")
    return frame.set_index("id")


def minutes(n: int) -> dict[str, float]:
    """Seconds of the claim about encoding and indexing, under its source; nothing for another number of documents."""
    claim = read_claims().loc["minutes"]
    named = {f"{claim['source'].split(':')[0]}: {claim['claimed on']}": 60 * claim["value"]}
    return named if n == claim["documents"] else {}


def claims_table(rows: pd.DataFrame, runs: Sequence[Run], large: str, longest: str) -> pd.DataFrame:
    """Claim, on what, measured on the same kind of work, and on equal terms.

    `rows`: those of `encoding_speed.ratio_rows` and `footprint.times_smaller`. `large` names the rival for the shortest
    texts, `longest` that for the longest, each at its own limit. `runs`: the largest of them answer for the minutes.
    """
    ratios = rows[rows["metric"] == "speed-up"]
    shortest, longest_texts = (ratios[ratios["words"] == end] for end in (ratios["words"].min(), ratios["words"].max()))
    smaller = rows[rows["metric"] == "times smaller"].set_index("part")["value"]
    measured = {
        "queries": _answers(shortest, large),
        "documents": _answers(longest_texts, longest),
        "size": (
            f"{smaller[footprint.PARAMETERS]:.1f} times",
            f"{smaller[footprint.FILES]:.1f} times, files on disk against the small transformer",
        ),
        "minutes": tuple(_of_the_largest(runs, way, _minutes_taken) for way in (False, True)),
        "passages": tuple(_of_the_largest(runs, way, _passages_encoded) for way in (False, True)),
    }
    claimed = read_claims()
    return pd.DataFrame(
        [
            (claim["claim"], claim["claimed on"], same, equal, claim["source"])
            for name, claim in claimed.iterrows()
            for same, equal in [measured[name]]
        ],
        columns=["claim", "claimed on", "measured here on the same kind of work", "on equal terms", "source"],
    )


def _verdict(row: tuple) -> str:
    if pd.isna(row.value):
        return "not run"
    if pd.isna(row.theirs):
        return ""
    if abs(row.difference) <= SAME:
        return "same"
    return "in our interval" if row.low <= row.theirs <= row.high else "outside our interval"


def _answers(ratios: pd.DataFrame, rival: str) -> list[str]:
    """Against the rival, each at its own limit; and on equal terms, against the fastest variant: the lowest ratio."""
    against_it = ratios[ratios["against"] == rival]
    own_limit = against_it.sort_values("max_tokens", na_position="first").iloc[0]  # none where the limits differ
    equal = ratios[ratios["max_tokens"] > 0].sort_values("value").iloc[0]
    return [
        f"{statistics.with_range(row['value'], row['low'], row['high'], ',.0f')} times, {row['words']:,.0f} words, "
        f"{row['against']}"
        for row in (own_limit, equal)
    ]


def _of_the_largest(runs: Sequence[Run], words_once: bool, told: Callable[[Sequence[Run]], str]) -> str:
    largest = max(run.n for run in runs)
    for group in repeats_of(runs):
        if group[0].n == largest and group[0].job.words_once == words_once:
            return f"{told(group)}, {group[0].job.label}, {group[0].corpus}"
    return "not run"


def _minutes_taken(group: Sequence[Run]) -> str:
    took = Times.of([run.total_seconds / 60 for run in group])
    return f"{statistics.with_range(*took[:3], '.2f')} minutes"


def _passages_encoded(group: Sequence[Run]) -> str:
    """Encoding alone, beside the engine."""
    rates = Times.of([run.n / run.busy["encode"] for run in group])
    words = group[0].words / group[0].n
    return f"{statistics.with_range(*rates[:3], ',.0f')} a second of {words:,.0f} words"
