"""What an existing collection is: which of its vectors is meant, and the facts a table shows of it.

Configurations are read as Qdrant's REST interface and an Edge shard's own files both write them, as plain dicts.
"""

import json
from collections.abc import Collection, Mapping
from math import ceil
from typing import Any, NamedTuple

from workbook.errors import WorkbookError
from workbook.qdrant.quantization import SETTINGS

NO_CODE = {"always_ram", "memory", "quantile"}  # options that change neither the name nor the size of a code
USUAL = {"binary": {"encoding": "one_bit"}, "turbo": {"bits": "bits4"}}  # what Qdrant takes where nothing is said
NUMBER_BYTES = {"float32": 4.0, "float16": 2.0, "uint8": 1.0, "turbo16": 2.0, "turbo8": 1.0, "turbo4": 0.5}  # datatypes
SAME_CODES = ("turbo8", "turbo-8bit")  # vectors stored as the first are not changed by the second
TURBO_BYTES, TURBO_EUCLID_BYTES = 4, 4  # beside the numbers of a vector stored as turbo; of any turbo under Euclid


class Facts(NamedTuple):
    """A collection or shard as it stands; what is not told is None.

    `vectors`: points that have this vector. `setting`: how it is quantized, or its datatype. `indexed`: vectors whose
    segment has its HNSW graph, and so its quantization. `full_scan_kb`: smaller segments are scanned whole, not by the
    graph. `sha256`: of every file of a shard.
    """

    kind: str
    name: str
    vector: str
    size: int
    distance: str
    datatype: str
    points: int
    vectors: int
    setting: str
    indexed: int | None
    m: int | None
    ef_construct: int | None
    full_scan_kb: int | None
    segments: int
    sha256: str | None

    @property
    def bytes_per_vector(self) -> int | None:
        """Bytes of one vector in what is searched; None where not every vector is known to be quantized as it says."""
        if self.indexed is None or self.indexed < self.vectors:
            return None
        return bytes_per_vector(self.setting, self.size, self.distance)


def choose(vectors: Mapping[str, Mapping[str, Any]], sparse: Collection[str], wanted: str, where: str) -> str:
    """The name of the dense vector that is meant, "" being the unnamed one.

    `wanted` "": the only one there is. Raises WorkbookError if that leaves a choice, or nothing that can be measured.
    """
    if not vectors:
        what = f"only sparse vectors ({', '.join(sorted(sparse))})" if sparse else "no vectors"
        raise WorkbookError(f"{where} has {what}: quantization is measured on dense ones")
    names = ", ".join(repr(name) for name in sorted(vectors))
    if wanted in sparse:
        raise WorkbookError(f"{where}: {wanted!r} is a sparse vector; give a dense one: {names}")
    if wanted and wanted not in vectors:
        raise WorkbookError(f"{where} has no vector {wanted!r}: it has {names}")
    if not wanted and len(vectors) > 1:
        raise WorkbookError(f"{where} has several vectors: which? Give the name of one: {names}")
    name = wanted or next(iter(vectors))
    if vectors[name].get("multivector_config"):
        raise WorkbookError(
            f"{where}: {name!r} holds several vectors a point (multivector), which is not measured here"
        )
    datatype = vectors[name].get("datatype") or "float32"
    if datatype not in NUMBER_BYTES:
        raise WorkbookError(
            f"{where}: {name!r} is stored as {datatype}; only these are measured: {', '.join(NUMBER_BYTES)}"
        )
    return name


def label(quantization: Mapping[str, Mapping[str, Any]] | None, datatype: str) -> str:
    """The name of the setting that a configuration is, its own words if it is none, the datatype if there is none."""
    if not quantization:
        return datatype
    family, told = next(iter(quantization.items()))
    kept = {name: value for name, value in told.items() if value is not None and name not in NO_CODE}
    if kept.get("query_encoding") in ("default", "binary"):
        del kept["query_encoding"]
    config = {family: USUAL.get(family, {}) | kept}
    return next((name for name, each in SETTINGS.items() if each.config == config), json.dumps(config))


def bytes_per_vector(setting: str, size: int, distance: str) -> int | None:
    """Bytes that one vector of a `label` takes in what is searched; None if they are not known."""
    length = TURBO_EUCLID_BYTES * (distance == "Euclid" and setting.startswith("turbo"))
    if setting in SETTINGS:
        return SETTINGS[setting].bytes_per_vector(size) + length
    if setting in NUMBER_BYTES:
        return ceil(NUMBER_BYTES[setting] * size) + TURBO_BYTES * is_turbo(setting) + length
    return None


def is_turbo(datatype: str) -> bool:
    """Whether vectors are stored in codes alone, which nothing but the engine itself scores exactly."""
    return datatype.startswith("turbo") and datatype in NUMBER_BYTES
