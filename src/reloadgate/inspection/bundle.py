"""A tensor bundle: what TensorFlow keeps of variables, in an `.index` table and `.data` shards with checksums.

Layout: `tensorflow/core/util/tensor_bundle`.
"""

import bisect
import struct
from typing import Any

import numpy as np

from reloadgate.inspection import index_table
from reloadgate.inspection.found import RefusedError, Report, Variable
from reloadgate.inspection.hdf5 import is_finite
from reloadgate.inspection.index_table import crc32c, masked, varint
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.messages import message
from reloadgate.inspection.reading import BLOCK, Folder, Source

SHARD = "{prefix}.data-{number:05d}-of-{count:05d}"
STRING, VARIANT = 7, 21
DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", STRING: "string", 8: "complex64", 9: "int64",
          10: "bool", 11: "int8", 12: "uint8", 13: "int32", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16",
          22: "uint32", 23: "uint64"}  # fmt: skip
"""`tensorflow.DataType` of what a variable may hold."""
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def inspect(folder: Folder, prefix: str, limits: Limits, report: Report) -> None:
    """Look at the bundle `prefix.index` of a folder, and at its shards.

    Raises:
        RefusedError: it is damaged, or more than the limits.
    """
    index = folder.files.get(f"{prefix}.index")
    if index is None:
        raise RefusedError("missing-index", f"{prefix}.index", "the checkpoint has no index")
    header: Any = None
    entries: dict[str, Any] = {}
    for key, value in index_table.entries(index, limits):
        if header is None:
            if key:
                raise RefusedError("index", index.name, "it has no header")
            header = message("BundleHeaderProto", value, index.name)
        else:
            name = key.decode("utf-8", "replace")
            if len(name) > limits.name * 10 or len(entries) >= limits.objects:
                raise RefusedError("too-many", index.name, "names too long, or more tensors than the limit")
            entries[name] = message("BundleEntryProto", value, f"{index.name}:{name}")
    if header is None:
        raise RefusedError("index", index.name, "it has no header")
    if header.endianness != 0 or not 1 <= header.num_shards <= limits.members:
        raise RefusedError("index", index.name, f"{header.num_shards} shards, byte order {header.endianness}")
    shards = []
    for number in range(header.num_shards):
        name = SHARD.format(prefix=prefix, number=number, count=header.num_shards)
        if name not in folder.files:
            raise RefusedError("missing-shard", name, "the shard is missing", "copy the whole checkpoint, with all its shards")
        shards.append(folder.files[name])
    _check_tiles(entries, shards, index.name)
    for name, entry in entries.items():
        _check_tensor(name, entry, entries, shards, index.name, limits, report)
    report.slots += sum("OPTIMIZER_SLOT" in name or "/optimizer/" in f"/{name}" for name in entries)


def _check_tiles(entries: dict[str, Any], shards: list[Source], place: str) -> None:
    """The tensors of a shard lie one after another; what pads them is less than a page."""
    spans: list[list[tuple[int, int]]] = [[] for _ in shards]
    for name, entry in entries.items():
        if entry.slices:
            continue
        if not 0 <= entry.shard_id < len(shards) or entry.offset < 0 or entry.size < 0:
            raise RefusedError("index", f"{place}:{name}", "it lies in no shard")
        spans[entry.shard_id].append((entry.offset, entry.offset + entry.size))
    for shard, found in zip(shards, spans, strict=True):
        end = 0
        for start, stop in sorted(found):
            if not 0 <= start - end < 4096:
                raise RefusedError("shard-layout", shard.name, "tensors overlap, or hide bytes between them")
            end = max(end, stop)
        if end != shard.size:
            code = "truncated" if end > shard.size else "shard-layout"
            raise RefusedError(code, shard.name, f"{end} bytes are tensors, and it has {shard.size}")


def _check_tensor(
    name: str, entry: Any, entries: dict[str, Any], shards: list[Source], place: str, limits: Limits, report: Report
) -> None:
    where = f"{place}:{name}"
    if entry.dtype == VARIANT:
        report.note("variant", where, "the state of a dataset's iterator, whose values are not looked at")
        return
    shape = tuple(dim.size for dim in entry.shape.dim)
    dtype = DTYPES.get(entry.dtype)
    if dtype is None or any(size < 0 for size in shape) or len(shape) > 254:
        raise RefusedError("tensor", where, f"dtype {entry.dtype}, shape {shape}: no tensor of a variable")
    if entry.slices:
        report.variables.append(Variable(path=name, shape=shape, dtype=dtype))
        return  # a variable in parts, each of which is an entry of its own
    count = 1
    for size in shape:
        count *= size
    shard = shards[entry.shard_id]
    if entry.dtype == STRING:
        graph = _check_strings(entry, count, shard, where, limits)
        if name == OBJECT_GRAPH:
            _check_object_graph(graph, entries, where, limits)
            return
    else:
        itemsize = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
        if count * itemsize != entry.size:
            raise RefusedError("declared-size", where, f"it declares {count * itemsize} bytes, and {entry.size} are stored")
        _check_numbers(entry, dtype, shard, where, report)
    report.variables.append(Variable(path=name, shape=shape, dtype=dtype))


def _check_numbers(entry: Any, dtype: str, shard: Source, where: str, report: Report) -> None:
    crc, finite = 0, True
    for start in range(0, entry.size, BLOCK):
        data = shard.read(entry.offset + start, min(BLOCK, entry.size - start))
        crc = crc32c(data, crc)
        finite = finite and is_finite(np.frombuffer(data, np.uint16 if dtype == "bfloat16" else dtype), dtype)
    if masked(crc) != entry.crc32c:
        raise RefusedError("crc", where, "the tensor fails its checksum")
    if not finite:
        report.refuse("nonfinite", where, "it holds NaN or an infinity")


def _check_strings(entry: Any, count: int, shard: Source, where: str, limits: Limits) -> bytes:
    """The first string, once the checksum over lengths and bytes holds."""
    if entry.size > limits.config or count > entry.size:
        raise RefusedError("declared-size", where, f"{count} strings in {entry.size} bytes")
    raw = shard.read(entry.offset, entry.size)
    at, crc, lengths = 0, 0, []
    try:
        for _ in range(count):
            length, at = varint(raw, at)
            lengths.append(length)
            crc = crc32c(struct.pack("<I" if length < 1 << 32 else "<Q", length), crc)
    except IndexError:
        raise RefusedError("crc", where, "the lengths of its strings are damaged") from None
    checksum = raw[at : at + 4]
    if len(checksum) < 4 or masked(crc) != struct.unpack("<I", checksum)[0] or at + 4 + sum(lengths) != len(raw):
        raise RefusedError("crc", where, "the lengths of its strings are damaged")
    if masked(crc32c(raw[at + 4 :], crc32c(checksum, crc))) != entry.crc32c:
        raise RefusedError("crc", where, "the tensor fails its checksum")
    return raw[at + 4 : at + 4 + lengths[0]] if lengths else b""


def _check_object_graph(raw: bytes, entries: dict[str, Any], where: str, limits: Limits) -> None:
    graph = message("TrackableObjectGraph", raw, where)
    if len(graph.nodes) > limits.objects:
        raise RefusedError("too-many", where, f"{len(graph.nodes)} objects")
    stored = sorted(entries)
    for node in graph.nodes:
        for attribute in node.attributes:
            if not _begins_one(attribute.checkpoint_key, stored):
                raise RefusedError("missing-weights", where, f"the tensor {attribute.checkpoint_key} is missing")
        if any(not 0 <= child.node_id < len(graph.nodes) for child in node.children):
            raise RefusedError("damaged", where, "it leads to objects that are not there")


def _begins_one(key: str, stored: list[str]) -> bool:
    """Whether a tensor has the key, or starts with it: a table is one attribute, and tensors of its keys and of its values."""
    at = bisect.bisect_left(stored, key)
    return at < len(stored) and stored[at].startswith(key)
