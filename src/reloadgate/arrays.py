"""Arrays inside evidence: small ones whole, large ones as a digest and a sketch.

A sketch holds, for every `SKETCH_BLOCK` elements, their sum under fixed pseudo-random signs (float64). Two sketches of the
same shape tell where and about how far the arrays differ: exactly where one element of a block changed, and as the
Euclidean norm of the block's difference, on average, where many did (the sign sketch of Alon, Matias and Szegedy, 1996).
Equality never rests on it: it rests on SHA-256 over dtype, shape and bytes. So NumPy, which takes a tenth of a second to
import, is imported where an array is looked at: a gate that finds every digest equal looks at none.
"""

import hashlib
import math
from collections.abc import Callable
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import ZipFile

from reloadgate.errors import UnreadableRecordError
from reloadgate.files import read_regular, write_atomically
from reloadgate.nouns import noun

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

WHOLE_BYTES = 1 << 16
"""Arrays up to this many bytes are kept whole."""


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
        import numpy as np

        from reloadgate.ndarrays import array_digest, dtype_name, magnitudes, plain, sketch, storable

        value = plain(np.asarray(value))
        nans, infinities, largest = magnitudes(value)
        keep_values = whole or value.dtype.kind in "SU" or value.nbytes <= WHOLE_BYTES
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
        import numpy as np

        buffer = BytesIO()
        np.savez(buffer, **{_member(k): v for k, v in sorted(self.kept.items())})  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())


class ArrayReader:
    """The kept arrays of one evidence; opened once, read one at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._members = open_npz(path)
        except Exception as error:  # zipfile and zlib each have their own
            raise UnreadableRecordError(f"{path} cannot be read: {error}") from None
        self._path = path

    def get(self, array: Array) -> "np.ndarray[Any, Any]":
        """Values (in the array's own dtype and shape) or sketch (float64, one value a block).

        Raises:
            UnreadableRecordError: it is not there, or not what the evidence says it is.
        """
        import numpy as np

        from reloadgate.ndarrays import array_digest, blocks_of, read_npy, restored

        value: np.ndarray[Any, Any] = self._read(array, read_npy)
        if array.kept is Kept.SKETCH:
            expected = (blocks_of(math.prod(array.shape)),)
            if value.dtype != np.float64 or value.shape != expected or np.isnan(value).any():
                raise UnreadableRecordError(f"{self._path}: {array.name} is no sketch of {list(array.shape)}")
            return value
        value = restored(value, array.dtype)
        if value.shape != array.shape or array_digest(value) != array.sha256:
            raise UnreadableRecordError(f"{self._path}: {array.name} is not the array that the evidence describes")
        return value

    def vector(self, array: Array) -> tuple[float, ...]:
        """Values of a float64 vector that is kept whole, without NumPy: the end of its member, where the digest proves it.

        Raises:
            UnreadableRecordError: as `get` does.
        """
        member = self._read(array, bytes)
        values = member[len(member) - 8 * math.prod(array.shape) :]
        if hashlib.sha256(f"float64{array.shape}".encode() + values).hexdigest() != array.sha256:
            raise UnreadableRecordError(f"{self._path}: {array.name} is not the array that the evidence describes")
        return tuple(memoryview(values).cast("d"))

    def _read(self, array: Array, as_: Callable[[bytes], T]) -> T:
        try:
            return as_(self._members.read(f"{_member(array.name)}.npy"))
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise UnreadableRecordError(f"{self._path}: {array.name} cannot be read: {error!r}") from None


def open_npz(path: Path) -> ZipFile:
    """An `.npz` whose members are stored as they are: what it takes in memory is no more than it takes on the disk.

    Raises:
        Exception: zipfile and zlib each have their own.
    """
    raw = read_regular(path)  # at once: it is small against the model, and a damaged archive then leaves no file open
    members = ZipFile(BytesIO(raw))
    for member in members.infolist():
        if member.compress_type or member.file_size > len(raw):
            raise ValueError(f"the member {member.filename} is packed, which reloadgate writes none of")
    return members


def _member(name: str) -> str:
    return name.replace("..", "_") or "_"
