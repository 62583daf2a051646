"""`model.keras`: Keras' own archive of configuration, weights and optimizer."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from reloadgate.evidence import Capability, FormatName, Recipe
from reloadgate.nouns import json_object

NAME = FormatName.KERAS
FILE = "model.keras"
CAPABILITY = Capability.RESUME
CANNOT = ""

HOLDS_CONFIGURATION = True
NEEDS_BUILDER = False

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


def find(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.glob("*.keras")) if not path.is_dir()]


def save(model: Any, path: Path) -> Callable[[], None] | None:
    """What Keras makes in memory is left to be written, where it would: the system takes half as long for that as Keras for all
    else. Where memory is short, or a model has a `save` of its own, it is written at once."""
    import keras
    from keras.src.saving import saving_lib

    own = "save" in vars(model) or type(model).save is not keras.Model.save
    if own or not saving_lib.is_memory_sufficient(model):
        model.save(path)
        return None
    pending = _Pending(path)
    saving_lib.save_model(model, pending)
    return pending.write_out


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    import keras

    return keras.models.load_model(path)


def stored_config(path: Path) -> dict[str, Any] | None:
    with zipfile.ZipFile(path) as archive:
        return json_object(archive.read("config.json"))


def stored_variables(path: Path) -> dict[str, str] | None:
    with zipfile.ZipFile(path) as archive, _member_stream(path, archive) as stream:
        return hdf5_datasets(stream)


def hdf5_datasets(file: Path | BinaryIO) -> dict[str, str]:
    """Digests of the datasets in an HDF5 file by their paths, "" of what HDF5 has no dtype for (bfloat16 and its like)."""
    import h5py
    import numpy as np

    from reloadgate.ndarrays import array_digest

    found: dict[str, str] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = array_digest(np.asarray(item)) if item.dtype.kind in "biufc" else ""

    with h5py.File(file) as opened:
        opened.visititems(look)
    return found


def _member_stream(path: Path, archive: zipfile.ZipFile) -> BinaryIO:
    """The weights member as a stream that seeks fast.

    Members are stored, not compressed, and a `ZipExtFile` reads again from its beginning to seek back: 8 s for 283 MB.
    """
    member = archive.getinfo(MEMBERS[-1])
    if member.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(member))
    with path.open("rb") as raw:
        raw.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", raw.read(4))  # of the local header, whose extra field is its own
    return cast(BinaryIO, _Window(path, member.header_offset + 30 + name + extra, member.file_size))


class _Pending(io.RawIOBase):
    """A file that is yet to be written: what was given, and where it goes. An archive goes back to put checksums in its headers,
    so that is no stream."""

    def __init__(self, path: Path) -> None:
        self._path, self._parts, self._at = path, list[tuple[int, bytes]](), 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = max((start + len(part) for start, part in self._parts), default=0)
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._parts.append((self._at, bytes(data)))  # which copies no `bytes`
        self._at += len(self._parts[-1][1])
        return len(self._parts[-1][1])

    def write_out(self) -> None:
        with self._path.open("wb") as file:
            for start, part in self._parts:
                file.seek(start)
                file.write(part)
        self._parts.clear()


class _Window(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._raw, self._start, self._size, self._at = path.open("rb"), start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        self._raw.seek(self._start + self._at)
        data = self._raw.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._raw.close()
        super().close()
