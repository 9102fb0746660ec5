"""Codes of vectors as numpy computes them, and as they lie on Edge's disk: what the engine stores is compared with."""

import numpy as np
from workbook.qdrant.engine import Index
from workbook.qdrant.quantization import Setting


def computed(setting: Setting, vectors: np.ndarray) -> np.ndarray:
    """Codes of float32 vectors (n, d) as the engine stores them, without overhead: uint8 (n, bytes).

    Of one bit: a bit for each positive number, filled up to whole blocks. Scalar: 0 to 127 between the lowest and the
    highest number of all vectors.
    """
    if setting.is_oracle_known:
        bits = np.packbits(vectors > 0, axis=1, bitorder="little")
        return np.pad(bits, ((0, 0), (0, setting.bytes_per_vector(vectors.shape[1]) - bits.shape[1])))
    step = (vectors.max() - vectors.min()) / np.float32(127) or np.float32(1)  # all numbers are equal: code 0
    return np.clip(np.round((vectors - vectors.min()) / step), 0, 127).astype(np.uint8)


def assert_stored(index: Index, vectors: np.ndarray) -> None:
    """The codes on Edge's disk are those that numpy computes: rounding may fall the other way halfway between two."""
    content = b"".join(f.read_bytes() for f in index._backend._path.glob("segments/*/vector_storage/quantized.data"))
    expected = computed(index.setting, vectors).astype(int)
    stored = np.frombuffer(content, dtype=np.uint8).reshape(len(vectors), -1)
    stored = stored[:, index.setting.overhead : index.setting.overhead + expected.shape[1]]
    assert np.abs(stored - expected).max() <= 1 and (stored != expected).mean() < 1e-3
