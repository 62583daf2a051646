"""The tensors of a bundle, which is what TensorFlow keeps of a checkpoint and of a SavedModel, changed without TensorFlow.

A changed bundle is one that TensorFlow itself could have written: every checksum is right. The index is written as one block of
LevelDB's table (`doc/table_format.md`); `reloadgate.inspection.bundle` says how tensors lie in the shards.
"""

import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.formats import checkpoint, saved_model
from reloadgate.inspection.bundle import DTYPES, SHARD
from reloadgate.inspection.checkpoints import state_of
from reloadgate.inspection.index_table import MAGIC, crc32c, entries, masked
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.messages import message
from reloadgate.inspection.reading import copied

Values = np.ndarray[Any, Any]


class Tensors:
    """The numeric tensors of the bundle that a loader of the copy's artifact reads."""

    def __init__(self, copy: Copy) -> None:
        self._copy, self._prefix, self._limits = copy, _prefix(copy), Limits()
        self._index = self._prefix.with_name(f"{self._prefix.name}.index")
        with closing(copied(self._index, self._limits)) as source:
            (_, header), *rest = entries(source, self._limits)
        self._header = header
        count = message("BundleHeaderProto", header, self._index.name).num_shards
        self._shards = [
            self._prefix.with_name(SHARD.format(prefix=self._prefix.name, number=number, count=count)) for number in range(count)
        ]
        self._entries = {key.decode(): message("BundleEntryProto", value, self._index.name) for key, value in rest}
        self._changed: dict[str, bytes] = {}
        self.names = [name for name, entry in self._entries.items() if _is_numeric(entry)]

    def __getitem__(self, name: str) -> Values:
        entry = self._entries[name]
        return np.frombuffer(self._raw(name), DTYPES[entry.dtype]).reshape([dim.size for dim in entry.shape.dim]).copy()

    def __setitem__(self, name: str, values: Values) -> None:
        """Give a tensor other values of its own shape and dtype, once `write` is called."""
        entry = self._entries[name]
        raw = np.broadcast_to(np.asarray(values, DTYPES[entry.dtype]), [dim.size for dim in entry.shape.dim]).tobytes()
        if raw != self._raw(name):
            self._changed[name] = raw
            entry.crc32c = masked(crc32c(raw))

    def write(self) -> None:
        """Write the shards that hold a changed tensor, each once, and the index; where nothing changed, nothing."""
        for shard_id in {self._entries[name].shard_id for name in self._changed}:
            data = bytearray(self._shards[shard_id].read_bytes())
            for name, raw in self._changed.items():
                entry = self._entries[name]
                if entry.shard_id == shard_id:
                    data[entry.offset : entry.offset + entry.size] = raw
            self._copy.write(self._shards[shard_id], bytes(data))
        if self._changed:
            lines = [(b"", self._header), *((key.encode(), one.SerializeToString()) for key, one in self._entries.items())]
            self._copy.write(self._index, _table(lines))

    def _raw(self, name: str) -> bytes:
        entry = self._entries[name]
        if name in self._changed:
            return self._changed[name]
        with self._shards[entry.shard_id].open("rb") as shard:
            shard.seek(entry.offset)
            raw: bytes = shard.read(entry.size)
            return raw


def _prefix(copy: Copy) -> Path:
    match copy.artifact.format:
        case saved_model.NAME:
            return copy.path / saved_model.VARIABLES
        case checkpoint.NAME:
            state = copy.path / checkpoint.STATE
            if state.is_file():
                with closing(copied(state, Limits())) as source:
                    return copy.path / state_of(source, Limits())[0]
            return next(path.with_suffix("") for path in copy.files if path.suffix == ".index")
        case _:
            raise DoesNotApplyError(f"a {copy.artifact.format} artifact keeps its variables in no bundle")


def _is_numeric(entry: Any) -> bool:
    """Whether NumPy has a word for it: strings and bfloat16 are left alone, and so is what lies in parts."""
    return not entry.slices and DTYPES.get(entry.dtype, "string") not in ("string", "bfloat16")


def _table(lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    """LevelDB's table of keys in order, in one block without shared beginnings."""
    pairs = list(lines)
    data, where = _block(pairs), 0
    meta = _block([])
    index = _block([(pairs[-1][0], _handle(where, len(data)))])
    blocks = data + _trailer(data) + meta + _trailer(meta) + index + _trailer(index)
    at_meta = len(data) + 5
    footer = _handle(at_meta, len(meta)) + _handle(at_meta + len(meta) + 5, len(index))
    return blocks + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def _block(lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(_varint(0) + _varint(len(key)) + _varint(len(value)) + key + value for key, value in lines)
    return body + struct.pack("<II", 0, 1)  # one restart, at its beginning


def _trailer(block: bytes) -> bytes:
    """Not compressed, and the checksum."""
    return b"\0" + struct.pack("<I", masked(crc32c(block + b"\0")))


def _handle(offset: int, size: int) -> bytes:
    return _varint(offset) + _varint(size)


def _varint(number: int) -> bytes:
    made = b""
    while number > 0x7F:
        made += bytes([number & 0x7F | 0x80])
        number >>= 7
    return made + bytes([number])
