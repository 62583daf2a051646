"""Reading an artifact once: what is parsed is a private copy, made through one descriptor.

Nothing is followed, nothing blocks: links, FIFOs, devices and sockets are refused before anything is read of them.
"""

import io
import os
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from reloadgate.inspection.found import Member, RefusedError, Report
from reloadgate.inspection.limits import Limits

BLOCK = 1 << 20
OPEN = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
LONGEST_FILE_NAME = 240
"""Bytes: what a file system takes, less what is added to a name while writing."""


class Source:
    """The bytes of one file, or of a part of it: read at an offset, never changing."""

    def __init__(self, descriptor: int, start: int, size: int, name: str) -> None:
        self._descriptor, self._start, self.size, self.name = descriptor, start, size, name

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        wanted = max(0, min(self.size - offset, self.size if size is None else size))
        return os.pread(self._descriptor, wanted, self._start + offset) if wanted else b""

    def part(self, offset: int, size: int, name: str) -> "Source":
        return Source(self._descriptor, self._start + offset, size, name)

    def blocks(self) -> Iterator[bytes]:
        for offset in range(0, self.size, BLOCK):
            yield self.read(offset, BLOCK)

    def stream(self) -> "Stream":
        return Stream(self)

    def close(self) -> None:
        os.close(self._descriptor)


class Stream(io.RawIOBase):
    """A source as a file that seeks, for parsers that want one."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def copied(path: str | Path, limits: Limits, folder: int | None = None, place: str = "") -> Source:
    """A private copy of a regular file, which vanishes when it is closed.

    Args:
        folder: descriptor of the directory that `path` is a name in.

    Raises:
        RefusedError: it is no regular file, cannot be read, is too large, or changed while it was read.
    """
    name = place or str(path)
    descriptor = _opened(path, folder, name)
    try:
        before = os.fstat(descriptor)
        if before.st_size > limits.file:
            raise RefusedError("too-large", name, f"{before.st_size} bytes, and the limit is {limits.file}")
        copy = _copy(descriptor, before.st_size, name)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if _identity(before) != _identity(after) or copy.size != before.st_size:
        copy.close()
        raise RefusedError("changed-during-read", name, "it changed while it was read", "let the writer finish first")
    return copy


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _opened(path: str | Path, folder: int | None, name: str) -> int:
    try:
        status = os.stat(path, dir_fd=folder, follow_symlinks=False)
        _refuse_unless(stat.S_ISREG, status, name, "regular file")
        return os.open(path, OPEN, dir_fd=folder)
    except FileNotFoundError:
        raise RefusedError("missing", name, "there is no such file") from None
    except OSError as error:
        raise RefusedError("unreadable", name, f"it cannot be opened: {error.strerror}") from None


def _refuse_unless(wanted: Any, status: os.stat_result, name: str, kind: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise RefusedError("symlink", name, "a symbolic link, which is never followed")
    if not wanted(status.st_mode):
        raise RefusedError("not-regular", name, f"not a {kind}", "name a file or a directory")
    if not status.st_mode & (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH):
        # Root could read it, and nobody else: what the gate says must not depend on who runs it.
        raise RefusedError("unreadable", name, "its mode lets nobody read it", "chmod u+r")


def _copy(descriptor: int, size: int, name: str) -> Source:
    target = tempfile.TemporaryFile()  # noqa: SIM115 - the source closes it
    with closing(target):
        done = 0
        while block := os.read(descriptor, BLOCK):
            done += len(block)
            if done > size:
                break
            target.write(block)
        target.flush()
        return Source(os.dup(target.fileno()), 0, done, name)


def unpacked(blocks: Iterator[bytes], name: str) -> Source:
    """A private file of what a decompressor yields."""
    target = tempfile.TemporaryFile()  # noqa: SIM115 - the source closes it
    with closing(target):
        for block in blocks:
            target.write(block)
        target.flush()
        return Source(os.dup(target.fileno()), 0, target.tell(), name)


class Folder:
    """Private copies of the regular files of a directory, by their paths inside it.

    Raises:
        RefusedError: it holds anything but regular files and directories, too many, or too large ones.
    """

    def __init__(self, path: str | Path, limits: Limits, report: Report, only: Any = None) -> None:
        self.files: dict[str, Source] = {}
        self._limits, self._report, self._only = limits, report, only
        self._left = limits.file
        self._walk(str(path), None, "", 0)

    def _walk(self, path: str, parent: int | None, prefix: str, depth: int) -> None:
        place = prefix or path
        try:
            _refuse_unless(stat.S_ISDIR, os.stat(path, dir_fd=parent, follow_symlinks=False), place, "directory")
            descriptor = os.open(path, OPEN | os.O_DIRECTORY, dir_fd=parent)
        except OSError as error:
            raise RefusedError("unreadable", place, f"it cannot be opened: {error.strerror}") from None
        try:
            if depth > self._limits.depth:
                raise RefusedError("too-deep", place, f"nested deeper than {self._limits.depth} directories")
            for name in sorted(entry.name for entry in os.scandir(descriptor)):
                inside = f"{prefix}/{name}" if prefix else name
                if self._only and not self._only(inside):
                    continue
                check_file_name(name, inside)
                if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    self._walk(name, descriptor, inside, depth + 1)
                else:
                    self._add(name, descriptor, inside)
        finally:
            os.close(descriptor)

    def _add(self, name: str, folder: int, inside: str) -> None:
        if len(self.files) >= self._limits.members:
            raise RefusedError("too-many", inside, f"more than {self._limits.members} files")
        source = copied(name, self._limits, folder, inside)
        self.files[inside] = source
        self._report.members.append(Member(path=inside, size=source.size, stored=source.size))
        self._left -= source.size
        if self._left < 0:
            raise RefusedError("too-large", inside, f"the directory holds more than {self._limits.file} bytes")

    def close(self) -> None:
        for source in self.files.values():
            source.close()


def check_file_name(name: str, place: str) -> None:
    """
    Raises:
        RefusedError: a name that is made to be misread, by a person, a shell or a file system.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise RefusedError("name", place, "the name is no UTF-8") from None
    if size > LONGEST_FILE_NAME:
        raise RefusedError("name", place, f"the name has {size} bytes, and the limit is {LONGEST_FILE_NAME}")
    if name.startswith("-"):
        raise RefusedError("name", place, "the name starts with a dash, as an option does")
    if odd := odd_character(name):
        raise RefusedError("name", place, f"the name holds {odd}")


def odd_character(text: str) -> str:
    """The first character that is not shown, or that changes how others are shown; "" when there is none."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            return f"the character U+{ord(character):04X}"
    return ""
