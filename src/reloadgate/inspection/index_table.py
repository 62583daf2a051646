"""The table in which a tensor bundle keeps its index: LevelDB's, whose `doc/table_format.md` describes it."""

import struct
from collections.abc import Iterator

from reloadgate.inspection.found import RefusedError
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.reading import Source

FOOTER, MAGIC = 48, 0xDB4775248B80FB57


def crc32c(data: bytes, crc: int = 0) -> int:
    import google_crc32c

    return int(google_crc32c.extend(crc, data))


def masked(crc: int) -> int:
    """LevelDB's mask, so that a checksum of a checksum is no trivial one."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def entries(source: Source, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values, in order."""
    if source.size > limits.config:
        raise RefusedError("too-large", source.name, f"an index of {source.size} bytes; the limit is {limits.config}")
    if source.size < FOOTER or struct.unpack("<Q", source.read(source.size - 8, 8))[0] != MAGIC:
        raise RefusedError("index", source.name, "no table ends at its last byte: it is cut, or no index")
    footer = source.read(source.size - FOOTER, 40)
    try:
        _, at = _handle(footer, 0)
        where, _ = _handle(footer, at)
        previous = None
        for _, handle in _block(source, where):
            for key, value in _block(source, _handle(handle, 0)[0]):
                if previous is not None and key <= previous:
                    raise RefusedError("index", source.name, "its keys are not in order")
                previous = key
                yield key, value
    except (IndexError, struct.error):
        raise RefusedError("index", source.name, "a block of it is cut") from None


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise IndexError(at)


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(source: Source, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    offset, size = handle
    if size < 4 or offset + size + 5 > source.size:
        raise RefusedError("index", source.name, "a block of it lies outside of it")
    raw = source.read(offset, size + 5)
    if raw[size] != 0:
        raise RefusedError("index", source.name, "a block of it is compressed, which TensorFlow's are not")
    if masked(crc32c(raw[: size + 1])) != struct.unpack("<I", raw[size + 1 :])[0]:
        raise RefusedError("crc", source.name, "a block of the index fails its checksum")
    (restarts,) = struct.unpack("<I", raw[size - 4 : size])
    end = size - 4 - 4 * restarts
    if end < 0:
        raise IndexError(end)
    at, key = 0, b""
    while at < end:
        shared, at = varint(raw, at)
        own, at = varint(raw, at)
        length, at = varint(raw, at)
        if shared > len(key) or at + own + length > end:
            raise IndexError(at)
        key = key[:shared] + raw[at : at + own]
        yield key, raw[at + own : at + own + length]
        at += own + length
