"""Files and directories: digests, atomic publication, what killed processes left, and where a project begins."""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from reloadgate.errors import RefusedError

BLOCK = 1 << 20
"""Bytes read at a time when hashing or copying."""

MOST_FILES = 100_000
"""Files of a directory that are listed."""

STAGING = ".reloadgate-staging-"
"""Prefix of what is not published yet; it lies beside its destination, on the same file system."""

SCRATCH = ".reloadgate-scratch-"
"""Prefix of folders for the time of one task; they lie in the system's temporary directory."""


def open_regular(path: Path) -> BinaryIO:
    """A regular file for reading, behind links too; anything else is refused without waiting for it.

    Raises:
        OSError: it is missing, unreadable, or a directory, FIFO, socket or device.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: to open a device may be to start it
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file, as `open_regular` opens it.

    Raises:
        OSError: it cannot be opened, or has more than `most` bytes.
    """
    with open_regular(path) as stream:
        data = stream.read() if most is None else stream.read(most + 1)
    if most is not None and len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return data


def sha256_file(path: Path, copy_to: Path | None = None) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of a regular file, read once.

    Args:
        copy_to: write the very bytes that were hashed here as well, so that what is loaded is what was hashed.
    """
    hasher, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_regular(path))
        target = stack.enter_context(copy_to.open("xb")) if copy_to else None
        while block := source.read(BLOCK):
            hasher.update(block)
            size += len(block)
            if target:
                target.write(block)
    return hasher.hexdigest(), size


def md5_file(path: Path) -> str:
    """MD5 (hexadecimal) of a regular file: the name under which DVC keeps it, and no proof against anybody."""
    hasher = hashlib.md5(usedforsecurity=False)
    with open_regular(path) as source:
        while block := source.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def regular_files(directory: Path, leave_out: str = "") -> Iterator[Path]:
    """Every file below a directory in a stable order, paths relative to it; the folder `leave_out` at its top is skipped.

    Raises:
        RefusedError: there are more than `MOST_FILES` files or folders, as behind a link that leads out of the directory.
    """
    found: list[Path] = []
    for count, (folder, folders, names) in enumerate(os.walk(directory, followlinks=True)):
        # A link to a folder is followed, since a loader reads through it; one that leads back to a folder above it is not.
        here = Path(folder).relative_to(directory)
        above = {os.path.realpath(directory / path) for path in (here, *here.parents)}
        folders[:] = [name for name in folders if os.path.realpath(Path(folder, name)) not in above]
        found += [here / name for name in names]
        if max(count, len(found)) > MOST_FILES:
            raise RefusedError(f"{directory} holds more than {MOST_FILES} files: look for a link there that leads elsewhere")
    yield from sorted(path for path in found if path.parts[0] != leave_out)


def md5_files(directory: Path) -> dict[str, str]:
    """MD5 of every file below a directory by its path relative to it; "" of what is no regular file or cannot be read."""
    found = {}
    for path in regular_files(directory):
        try:
            found[path.as_posix()] = md5_file(directory / path)
        except OSError:
            found[path.as_posix()] = ""
    return found


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every regular file below a directory by its path relative to it; what Python compiled is left out."""
    files = (path for path in regular_files(directory) if "__pycache__" not in path.parts and (directory / path).is_file())
    return {path.as_posix(): sha256_file(directory / path)[0] for path in files}


def write_atomically(path: Path, data: bytes) -> None:
    """Publish a file whole or not at all: temporary name beside it, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged, held = _made(lambda: path.with_name(f"{STAGING}{uuid.uuid4().hex[:16]}"), lambda staged: staged.open("xb").close())
    try:
        with staged.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
        os.close(held)
    sync_directory(path.parent)


@contextlib.contextmanager
def staged_directory(destination: Path) -> Iterator[Path]:
    """A directory beside `destination` that takes its name, whole, when the block ends without an error.

    A rename onto an existing directory that is not empty fails, so of two writers one wins.

    Raises:
        FileExistsError: the destination exists by the time of the rename.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    staged, held = _made(lambda: destination.with_name(f"{STAGING}{uuid.uuid4().hex[:16]}"), Path.mkdir)
    try:
        yield staged
        sync_tree(staged)
        if os.path.lexists(destination):  # a rename would replace an empty directory
            raise FileExistsError(str(destination))
        try:
            staged.rename(destination)
        except OSError as error:
            if os.path.lexists(destination):
                raise FileExistsError(str(destination)) from error
            raise
        sync_directory(destination.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        os.close(held)


@contextlib.contextmanager
def scratch(purpose: str, place: Path | None = None) -> Iterator[Path]:
    """An empty folder of this process' own, gone when the block ends; `remove_abandoned` removes what a kill leaves of it.

    Args:
        place: where it lies; default: the temporary directory.
    """
    place = place or Path(tempfile.gettempdir())
    made, held = _made(lambda: place / f"{SCRATCH}{purpose}-{uuid.uuid4().hex[:16]}", lambda made: made.mkdir(mode=0o700))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _made(name: Callable[[], Path], make: Callable[[Path], object]) -> tuple[Path, int]:
    """A new file or folder in the making, and the descriptor that marks it as somebody's while it is open.

    The lock on it ends with the process, however that ends. The number of a process would not do as a mark: it is used
    again, and says nothing in another container.
    """
    while True:
        path = name()
        make(path)
        with contextlib.suppress(FileNotFoundError):  # somebody tidied up before it was marked
            held = os.open(path, os.O_RDONLY)
            _lock(held, wait=True)
            if path.exists():
                return path, held
            os.close(held)


def _lock(descriptor: int, wait: bool) -> bool:
    """Whether the lock was free, on file systems that have locks; where there are none nothing is ever taken for abandoned."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_abandoned(folder: Path | None = None) -> None:
    """Remove what killed processes of this user left in a folder, by default the temporary directory: nobody holds it."""
    folder = folder or Path(tempfile.gettempdir())
    for path in (*folder.glob(f"{STAGING}*"), *folder.glob(f"{SCRATCH}*")):
        with contextlib.suppress(OSError):  # another was quicker, or it is another user's
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                found = os.fstat(descriptor)
                if found.st_uid == os.geteuid() and _lock(descriptor, wait=False):
                    if stat.S_ISDIR(found.st_mode):
                        shutil.rmtree(path, ignore_errors=True)
                    elif stat.S_ISREG(found.st_mode):
                        path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """fsync every file and folder below a directory, and the directory."""
    for path in (*directory.rglob("*"), directory):
        if path.is_dir():
            sync_directory(path)
        elif path.is_file():
            sync_file(path)


def sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def project_root(path: Path) -> Path | None:
    """The git or DVC repository that a path lies in, or None."""
    for parent in (path, *path.parents):
        if (parent / ".git").exists() or (parent / ".dvc").is_dir():
            return parent
    return None
