"""What NumPy is asked of an array: its digest, its sketch, dtypes that `.npy` has no word for."""

import hashlib
from io import BytesIO
from typing import Any

import numpy as np

SKETCH_BLOCK = 1024
"""Elements a sketch's value stands for: 8 bytes for 4 kB of float32, 0.2 %."""

_EXTENDED = {"bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4", "uint4"}


def plain(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Text of dtype object as fixed-width bytes or unicode, so that nothing is ever pickled."""
    if value.dtype.kind != "O":
        return np.ascontiguousarray(value).reshape(value.shape)
    if all(isinstance(item, bytes) for item in value.flat):
        return value.astype("S")
    return value.astype("U")


def array_digest(value: np.ndarray[Any, Any]) -> str:
    """SHA-256 over dtype, shape and bytes in C order."""
    hasher = hashlib.sha256(f"{dtype_name(value)}{value.shape}".encode())
    hasher.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()


def sketch(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Signed sums (float64) of every `SKETCH_BLOCK` elements; NaN and infinity count as 0, `Array` counts them."""
    flat = value.reshape(-1)
    blocks = blocks_of(flat.size)
    signs = _signs()
    sums = np.empty(blocks)
    for start in range(0, blocks, 256):
        part = flat[start * SKETCH_BLOCK : (start + 256) * SKETCH_BLOCK].astype(np.float64)
        rows = (part if part.size % SKETCH_BLOCK == 0 else np.pad(part, (0, -part.size % SKETCH_BLOCK))).reshape(-1, SKETCH_BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):
            found = rows @ signs
            if not np.isfinite(found).all():
                found = np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0) @ signs
        sums[start : start + 256] = found
    return np.nan_to_num(sums, nan=np.finfo(np.float64).max)


def blocks_of(elements: int) -> int:
    """How many values the sketch of an array has."""
    return -(-elements // SKETCH_BLOCK)


def read_npy(member: bytes) -> np.ndarray[Any, Any]:
    """An array as `.npy` holds it; nothing is ever unpickled.

    Raises:
        Exception: numpy has its own.
    """
    value: np.ndarray[Any, Any] = np.lib.format.read_array(BytesIO(member), allow_pickle=False)
    return value


def _signs() -> np.ndarray[Any, Any]:
    return np.where(np.random.Generator(np.random.PCG64(20)).integers(0, 2, SKETCH_BLOCK), 1.0, -1.0)


def dtype_name(value: np.ndarray[Any, Any]) -> str:
    return str(value.dtype.name if value.dtype.kind not in "SU" else value.dtype.str.lstrip("<>=|"))


def np_dtype(name: str) -> np.dtype[Any]:
    if name in _EXTENDED:
        import ml_dtypes

        extended: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return extended
    return np.dtype(name)


def storable(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The .npy format knows no bfloat16: the same bits as unsigned integers."""
    return value.view(f"u{value.dtype.itemsize}") if dtype_name(value) in _EXTENDED else value


def restored(value: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """The inverse of `storable`."""
    return value.view(np_dtype(dtype)) if dtype in _EXTENDED else value


def magnitudes(value: np.ndarray[Any, Any]) -> tuple[int, int, float]:
    """How many NaN and infinities there are, and the largest finite magnitude; of text, nothing of it."""
    if not value.size or value.dtype.kind in "SU":
        return 0, 0, 0.0
    if dtype_name(value) in _EXTENDED:
        value = value.astype(np.float64)
    if value.dtype.kind == "c":
        value = np.abs(value)
    # Two passes tell what is usual: the largest and the smallest are NaN where one is, and infinite where one is.
    largest = max(abs(float(value.max())), abs(float(value.min())))
    if np.isfinite(largest):
        return 0, 0, largest
    finite = value[np.isfinite(value)]
    return int(np.isnan(value).sum()), int(np.isinf(value).sum()), magnitudes(finite)[2]
