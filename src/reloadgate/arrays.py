"""Arrays inside evidence: small ones whole, large ones as a digest and a sketch.

A sketch holds, for every `SKETCH_BLOCK` elements, their sum under fixed pseudo-random signs (float64). Two sketches of the
same shape tell where and about how far the arrays differ: exactly where one element of a block changed, and as the
Euclidean norm of the block's difference, on average, where many did (the sign sketch of Alon, Matias and Szegedy, 1996).
Equality never rests on it: it rests on SHA-256 over dtype, shape and bytes.
"""

import hashlib
import math
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate.errors import UnreadableRecordError
from reloadgate.files import read_regular, write_atomically
from reloadgate.nouns import noun

WHOLE_BYTES = 1 << 16
"""Arrays up to this many bytes are kept whole."""

SKETCH_BLOCK = 1024
"""Elements a sketch's value stands for: 8 bytes for 4 kB of float32, 0.2 %."""

_EXTENDED = {"bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4", "uint4"}


class Kept(StrEnum):
    VALUES = "values"
    SKETCH = "sketch"


@noun
class Array:
    """What evidence says of one array; its values or its sketch lie in `arrays.npz` under `name`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    kept: Kept
    nans: int
    infinities: int
    largest: float
    """Largest magnitude among the finite elements, 0 where there is none; 0 for text."""


class ArrayWriter:
    """Collects the arrays of one observation and writes them as one deterministic `.npz`."""

    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray[Any, Any]] = {}

    def put(self, name: str, value: Any, whole: bool = False) -> Array:
        """Describe an array and keep its values (up to `WHOLE_BYTES`, or always with `whole`) or its sketch."""
        value = plain(np.asarray(value))
        numbers = value.dtype.kind not in "SU"
        floats = value.astype(np.float64) if numbers and dtype_name(value) in _EXTENDED else value
        nans, infinities, largest = _magnitudes(floats) if numbers else (0, 0, 0.0)
        keep_values = whole or not numbers or value.nbytes <= WHOLE_BYTES
        self.kept[name] = storable(value) if keep_values else sketch(value)
        return Array(
            name=name,
            shape=value.shape,
            dtype=dtype_name(value),
            sha256=array_digest(value),
            kept=Kept.VALUES if keep_values else Kept.SKETCH,
            nans=nans,
            infinities=infinities,
            largest=largest,
        )

    def write(self, path: Path) -> None:
        buffer = BytesIO()
        np.savez(buffer, **{_member(k): v for k, v in sorted(self.kept.items())})  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())


class ArrayReader:
    """The kept arrays of one evidence; opened once, read one at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._npz = open_npz(path)
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise UnreadableRecordError(f"{path} cannot be read: {error}") from None
        self._path = path

    def get(self, array: Array) -> np.ndarray[Any, Any]:
        """Values (in the array's own dtype and shape) or sketch (float64, one value a block).

        Raises:
            UnreadableRecordError: it is not there, or not what the evidence says it is.
        """
        try:
            value: np.ndarray[Any, Any] = self._npz[_member(array.name)]
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise UnreadableRecordError(f"{self._path}: {array.name} cannot be read: {error!r}") from None
        if array.kept is Kept.SKETCH:
            expected = (_blocks(math.prod(array.shape)),)
            if value.dtype != np.float64 or value.shape != expected or np.isnan(value).any():
                raise UnreadableRecordError(f"{self._path}: {array.name} is no sketch of {list(array.shape)}")
            return value
        value = restored(value, array.dtype)
        if value.shape != array.shape or array_digest(value) != array.sha256:
            raise UnreadableRecordError(f"{self._path}: {array.name} is not the array that the evidence describes")
        return value


def open_npz(path: Path) -> Any:
    """An `.npz` whose members are stored as they are: what it takes in memory is no more than it takes on the disk.

    Raises:
        Exception: zipfile, zlib and numpy each have their own.
    """
    raw = read_regular(path)  # at once: it is small against the model, and a damaged archive then leaves no file open
    npz = np.load(BytesIO(raw), allow_pickle=False)
    if not isinstance(npz, np.lib.npyio.NpzFile) or npz.zip is None:
        raise ValueError("it is no archive of arrays")
    for member in npz.zip.infolist():
        if member.compress_type or member.file_size > len(raw):
            raise ValueError(f"the member {member.filename} is packed, which reloadgate writes none of")
    return npz


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
    blocks = _blocks(flat.size)
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


def _blocks(elements: int) -> int:
    return -(-elements // SKETCH_BLOCK)


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


def _magnitudes(value: np.ndarray[Any, Any]) -> tuple[int, int, float]:
    """How many NaN and infinities there are, and the largest finite magnitude."""
    if not value.size:
        return 0, 0, 0.0
    if value.dtype.kind == "c":
        value = np.abs(value)
    # Two passes tell what is usual: the largest and the smallest are NaN where one is, and infinite where one is.
    largest = max(abs(float(value.max())), abs(float(value.min())))
    if np.isfinite(largest):
        return 0, 0, largest
    finite = value[np.isfinite(value)]
    return int(np.isnan(value).sum()), int(np.isinf(value).sum()), _magnitudes(finite)[2]


def _member(name: str) -> str:
    return name.replace("..", "_") or "_"
