"""A zip archive whose every byte is accounted for, so that no two readers see two different archives in it.

The layout is that of PKWARE's APPNOTE 6.3: members one after another from the first byte on, then the central directory, then
its end.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from reloadgate.inspection.found import Member, RefusedError, Report
from reloadgate.inspection.limits import MIB, Limits
from reloadgate.inspection.reading import BLOCK, Source, odd_character, unpacked

LOCAL = struct.Struct("<4s5H3I2H")
END = struct.Struct("<4s4H2IH")
LOCATOR, END64 = struct.Struct("<4sIQI"), struct.Struct("<4sQ2H2I4Q")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED, DESCRIPTOR, UTF8 = 1, 8, 0x800
COMPRESSION_HINTS = 6
EXTRA = {0x0001, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0xD935}
"""Fields beside a member's header that packers write: sizes above 4 GiB, times, owners, padding. Another may give it a second
name, which some readers take."""
FULL, FULL16 = 0xFFFFFFFF, 0xFFFF


def members_of(source: Source, limits: Limits, report: Report, floor: int = MIB) -> dict[str, Source]:
    """The members of an archive, each read whole and held against its checksum.

    Args:
        floor: bytes up to which a member, and the whole, may be packed as tightly as it likes.

    Raises:
        RefusedError: it is damaged, or is more than one archive of plainly named, plainly packed members.
    """
    directory = _directory_at(source, limits)
    try:
        with zipfile.ZipFile(source.stream()) as archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError) as error:
        raise RefusedError("truncated", source.name, f"no whole archive: {error}") from None
    _check_names(entries, limits)
    total = 0
    for entry in entries:
        _check_entry(entry, limits, floor)
        total += entry.file_size
    if total > limits.file:
        raise RefusedError("too-large", source.name, f"unpacked it has {total} bytes, and the limit is {limits.file}")
    if total > floor and total > limits.ratio * source.size:  # of many small members, that is
        raise RefusedError("ratio", source.name, f"{total} bytes of {source.size}; the limit is {limits.ratio} times")
    found, end = {}, 0
    for entry in entries:
        if entry.header_offset != end:
            raise RefusedError("zip-layout", entry.orig_filename, "members overlap, or hide bytes between them")
        start = _data_start(source, entry)
        packed = source.part(start, entry.compress_size, entry.orig_filename)
        end = start + entry.compress_size + _descriptor_size(source, entry, start + entry.compress_size)
        report.members.append(Member(path=entry.orig_filename, size=entry.file_size, stored=entry.compress_size))
        if not entry.is_dir():
            found[entry.orig_filename] = _member(packed, entry)
    if end != directory:
        raise RefusedError("zip-layout", source.name, "bytes between the last member and the directory of the archive")
    return found


def _directory_at(source: Source, limits: Limits) -> int:
    """Where the central directory starts."""
    if source.size < END.size or source.read(0, 4) not in (b"PK\x03\x04", b"PK\x05\x06"):
        code = "prefix-bytes" if b"PK\x03\x04" in source.read(0, MIB) else "truncated"
        raise RefusedError(code, source.name, "no archive starts at its first byte")
    at = source.size - END.size
    signature, disk, first, here, count, size, offset, comment = END.unpack(source.read(at, END.size))
    if signature != b"PK\x05\x06" or comment:
        raise RefusedError("truncated", source.name, "no archive ends at its last byte: it was cut, or something was added")
    if FULL in (size, offset) or FULL16 in (disk, first, here, count):
        locator = at - LOCATOR.size
        signature, _, record, _ = LOCATOR.unpack(source.read(locator, LOCATOR.size)) if locator > 0 else (b"", 0, 0, 0)
        if signature != b"PK\x06\x07" or record != locator - END64.size:
            raise RefusedError("zip-layout", source.name, "the end of the archive is not where it says")
        _, _, _, _, disk, first, here, count, size, offset = END64.unpack(source.read(record, END64.size))
        at = record
    if disk or first or here != count or offset + size != at:
        raise RefusedError("zip-layout", source.name, "the directory of the archive is not where it says")
    if count > limits.members or size > limits.members * 1024:
        raise RefusedError("too-many", source.name, f"{count} members, listed in {size} bytes; the limit is {limits.members}")
    return int(offset)


def _check_names(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        if len(name) > limits.name:
            raise RefusedError("member-name", name[:40], f"a name of {len(name)} characters; the limit is {limits.name}")
        if odd := odd_character(name):
            raise RefusedError("member-name", name, f"the name holds {odd}")
        parts = name.removesuffix("/").split("/")
        if "\\" in name or ":" in name or name != entry.filename or any(part in ("", ".", "..") for part in parts):
            raise RefusedError("member-name", name, "the name leads out of the archive, or is written in more than one way")
        if name.casefold() in seen:
            raise RefusedError("duplicate-member", name, "two members have this name")
        seen.add(name.casefold())


def _check_entry(entry: zipfile.ZipInfo, limits: Limits, floor: int) -> None:
    name = entry.orig_filename
    if entry.flag_bits & ENCRYPTED:
        raise RefusedError("encrypted", name, "the member is encrypted", "save the model without encryption")
    if entry.flag_bits & ~(DESCRIPTOR | UTF8 | COMPRESSION_HINTS) or entry.compress_type not in METHODS or entry.comment:
        raise RefusedError(
            "member-type", name, f"flags {entry.flag_bits:#x}, method {entry.compress_type}: only stored or deflated"
        )
    kind = entry.external_attr >> 28 if entry.create_system == 3 else 0
    if kind not in ((0, 4) if entry.is_dir() else (0, 8)):
        raise RefusedError("member-type", name, "the member is a link or a device")
    _check_extra(entry.extra, name)
    if entry.is_dir() and entry.file_size:
        raise RefusedError("member-type", name, "a directory that holds bytes")
    if entry.file_size > floor and entry.file_size > limits.ratio * entry.compress_size:
        raise RefusedError("ratio", name, f"{entry.file_size} bytes of {entry.compress_size}; the limit is {limits.ratio} times")
    if entry.volume:
        raise RefusedError("zip-layout", name, f"it starts on disk {entry.volume} of an archive that is on one")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        raise RefusedError("zip-layout", name, "a stored member with two sizes")


def _check_extra(extra: bytes, name: str) -> None:
    while extra:
        kind, size = struct.unpack("<2H", extra[:4]) if len(extra) >= 4 else (0, len(extra))
        if kind not in EXTRA or 4 + size > len(extra):
            raise RefusedError("zip-layout", name, f"a field {kind:#06x} beside its header, which no packer of models writes")
        extra = extra[4 + size :]


def _data_start(source: Source, entry: zipfile.ZipInfo) -> int:
    """Where the member's bytes start, once its own header says the same as the directory."""
    name = entry.orig_filename
    header = source.read(entry.header_offset, LOCAL.size)
    if len(header) < LOCAL.size:
        raise RefusedError("truncated", name, "the member's header is cut")
    signature, _, flags, method, _, _, crc, packed, size, name_size, extra_size = LOCAL.unpack(header)
    raw = source.read(entry.header_offset + LOCAL.size, name_size)
    extra = source.read(entry.header_offset + LOCAL.size + name_size, extra_size)
    if signature != b"PK\x03\x04" or raw != name.encode("utf-8" if flags & UTF8 else "cp437", "replace"):
        raise RefusedError("zip-layout", name, "the member's own header has another name than the directory")
    if flags != entry.flag_bits or method != entry.compress_type:
        raise RefusedError("zip-layout", name, "the member's own header says it is packed in another way")
    if FULL in (packed, size):
        sizes = re.search(rb"\x01\x00\x10\x00(.{16})", extra, re.DOTALL)
        size, packed = struct.unpack("<2Q", sizes[1]) if sizes else (-1, -1)
    theirs = (entry.CRC, entry.compress_size, entry.file_size)
    _check_extra(extra, name)
    if (crc, packed, size) != theirs and not (flags & DESCRIPTOR and crc == packed == size == 0):
        raise RefusedError("zip-layout", name, "the member's own header has another size or checksum than the directory")
    return int(entry.header_offset + LOCAL.size + name_size + extra_size)


def _descriptor_size(source: Source, entry: zipfile.ZipInfo, at: int) -> int:
    """Bytes of the data descriptor that follows the member."""
    if not entry.flag_bits & DESCRIPTOR:
        return 0
    for form, signed in (("<4sI2I", True), ("<4sI2Q", True), ("<I2I", False), ("<I2Q", False)):
        layout = struct.Struct(form)
        data = source.read(at, layout.size)
        if len(data) == layout.size:
            fields = layout.unpack(data)
            if (not signed or fields[0] == b"PK\x07\x08") and fields[-3:] == (entry.CRC, entry.compress_size, entry.file_size):
                return int(layout.size)
    raise RefusedError("zip-layout", entry.orig_filename, "the sizes after the member are not those of the directory")


def _member(packed: Source, entry: zipfile.ZipInfo) -> Source:
    crc = 0
    stored = entry.compress_type == zipfile.ZIP_STORED
    member = packed if stored else unpacked(_inflated(packed, entry), entry.orig_filename)
    for block in member.blocks():
        crc = zlib.crc32(block, crc)
    if crc != entry.CRC or member.size != entry.file_size:
        raise RefusedError("crc", entry.orig_filename, "the member fails its checksum")
    return member


def _inflated(packed: Source, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The member's bytes, never more than it declares."""
    inflate, left, pending = zlib.decompressobj(-zlib.MAX_WBITS), entry.file_size, b""
    try:
        for block in packed.blocks():
            pending = inflate.unconsumed_tail + block
            while pending:
                data = inflate.decompress(pending, BLOCK)
                left -= len(data)
                if left < 0:
                    raise RefusedError("ratio", entry.orig_filename, "it unpacks to more than it declares")
                yield data
                pending = inflate.unconsumed_tail
                if not data and pending:
                    break
    except zlib.error as error:
        raise RefusedError("crc", entry.orig_filename, f"it cannot be unpacked: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise RefusedError("crc", entry.orig_filename, "it is cut, or bytes follow what is packed")
