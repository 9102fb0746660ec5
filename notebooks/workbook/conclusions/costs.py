"""What encoding costs, computed from speeds and given prices; and speeds that were measured on another machine.

Nothing here is measured: a speed times a price. The speeds elsewhere are in data/measured.csv, each with its machine,
date, versions and command, as far as they were kept.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from workbook import paths
from workbook.errors import WorkbookError
from workbook.evaluation import results
from workbook.experiments import encoder_forms

ELSEWHERE = paths.ROOT / "data" / "measured.csv"
COLUMNS = ["machine", "date", "versions", "command", "how", "model", "words", "metric", "value"]
MODEL_ALONE = "texts/s of the model alone"
MILLION = 1_000_000
DOCUMENT, QUERY = 160, 8  # words of what is counted: the length that was timed and is nearest to these
COSTS = ["hours per million, computed", "price per million, computed", "kWh per million, computed"]


class Prices(NamedTuple):
    """Prices of an hour, in any currency, and watts: of one core of a CPU, and of one GPU with the host it is in."""

    core_hour: float
    gpu_hour: float
    core_watts: float
    gpu_watts: float

    def of(self, on_gpu: bool, threads: int) -> tuple[float, float]:
        """Price of an hour, and kilowatts."""
        price, watts = (self.gpu_hour, self.gpu_watts) if on_gpu else (self.core_hour, self.core_watts)
        return (price, watts / 1000) if on_gpu else (price * threads, watts * threads / 1000)


def rows(speeds: pd.DataFrame, queries: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    """Hours, money and energy of a million documents in batches, and of a million queries one after another.

    `speeds`: rows of `encoding_speed.rows`, of which the length nearest to DOCUMENT counts; `queries`: those of
    `encoder_forms.one_by_one`. All cores that were timed are paid. Raises WorkbookError for a price that is none.
    """
    if min(prices) < 0:
        raise WorkbookError(f"prices and watts must be 0 or above 0, not {min(prices)}")
    timed = speeds[speeds["metric"] == "texts/s"]
    length = min(timed["words"], key=lambda words: abs(words - DOCUMENT))
    documents = timed[timed["words"] == length].assign(part="a million documents", seconds=lambda own: 1 / own["value"])
    alone = queries[queries["part"] == encoder_forms.ALL]
    alone = alone.assign(part="a million queries, one after another", seconds=alone["value"] / 1000)
    found = []
    for row in pd.concat([documents, alone]).to_dict("records"):
        names = {name: row.get(name) for name in ("corpus", "model", "words", "max_tokens", "threads", "part", "key")}
        hours = row["seconds"] * MILLION / 3600
        price, kilowatts = prices.of("on the GPU" in row["model"], row["threads"])
        for metric, value in zip(COSTS, (hours, hours * price, hours * kilowatts), strict=True):
            found.append({**names, "metric": metric, "value": value})
    return pd.DataFrame(found)


def elsewhere(file: Path | None = None) -> pd.DataFrame:
    """Speeds measured on other machines, by COLUMNS; what was not kept of one is missing.

    Raises WorkbookError for other columns, or a row without its machine, how it was measured, or its value.
    """
    file = file or ELSEWHERE
    frame = results.read_table(file, {"words": "Int64", "value": float})
    always = ["machine", "how", "model", "words", "metric", "value"]
    if list(frame.columns) != COLUMNS or frame[always].isna().any(axis=None):
        raise WorkbookError(f"{file.name}: needs the columns {', '.join(COLUMNS)}, and {', '.join(always)} filled")
    return frame


def in_cores(speeds: pd.DataFrame, static: str, measured: pd.DataFrame) -> str:
    """How many cores of this CPU, each with the static model, encode as many short texts as a GPU with a transformer.

    From rows of `encoding_speed.rows` and of `elsewhere`, of texts of QUERY words; "" where either is missing.
    """
    own = speeds[(speeds["metric"] == "texts/s") & (speeds["model"] == static) & (speeds["words"] == QUERY)]
    there = measured[(measured["words"] == QUERY) & measured["model"].str.contains("GPU")]
    called, alone = (there[there["metric"] == metric]["value"] for metric in ("texts/s", MODEL_ALONE))
    if own.empty or called.empty or alone.empty:
        return ""
    row = own.loc[own["value"].idxmax()]
    core = row["value"] / row["threads"]
    machine, model = there["machine"].iloc[0], there["model"].iloc[0].partition(" (")[0]
    least, most, could = called.min(), called.max(), alone.max()
    cores = [f"{rate / core:.1f}" for rate in (least, most, could)]
    return (
        f"{machine}, was measured elsewhere to encode {least:,.0f} to {most:,.0f} texts of {QUERY} words a second with "
        f"{model} as people call it: as many as {cores[0]} to {cores[1]} cores of this CPU with {static}. "
        f"The card could do {could:,.0f}, were texts tokenized elsewhere: {cores[2]} cores."
    )
