"""Files and directories: digests, atomic publication, and where a project begins."""

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time when hashing or copying."""

STAGING = ".reloadgate-staging-"
"""Prefix of a directory that is not published yet; it lies beside its destination, on the same file system."""


def sha256_file(path: Path, copy_to: Path | None = None) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of a file, read once.

    Args:
        copy_to: write the very bytes that were hashed here as well, so that what is loaded is what was hashed.
    """
    hasher, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(path.open("rb"))
        target = stack.enter_context(copy_to.open("xb")) if copy_to else None
        while block := source.read(BLOCK):
            hasher.update(block)
            size += len(block)
            if target:
                target.write(block)
    return hasher.hexdigest(), size


def md5_file(path: Path) -> str:
    """MD5 (hexadecimal) of a file: the name under which DVC keeps it, and no proof against anybody."""
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def regular_files(directory: Path, leave_out: str = "") -> Iterator[Path]:
    """Every file below a directory in a stable order, paths relative to it; the folder `leave_out` at its top is skipped."""
    found: list[Path] = []
    seen = {os.path.realpath(directory)}
    for folder, folders, names in os.walk(directory, followlinks=True):
        # A link to a folder is followed, since a loader reads through it; one that leads back to a folder above it is not.
        real = {name: os.path.realpath(Path(folder, name)) for name in folders}
        folders[:] = [name for name in folders if real[name] not in seen]
        seen |= set(real.values())
        found += [Path(folder, name).relative_to(directory) for name in names]
    yield from sorted(path for path in found if path.parts[0] != leave_out)


def digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every file below a directory by its path relative to it; what Python compiled is left out."""
    files = (path for path in regular_files(directory) if "__pycache__" not in path.parts)
    return {path.as_posix(): sha256_file(directory / path)[0] for path in files}


def write_atomically(path: Path, data: bytes) -> None:
    """Publish a file whole or not at all: temporary name beside it, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f"{STAGING}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        with staged.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    sync_directory(path.parent)


@contextlib.contextmanager
def staged_directory(destination: Path) -> Iterator[Path]:
    """A directory beside `destination` that takes its name, whole, when the block ends without an error.

    A rename onto an existing directory that is not empty fails, so of two writers one wins.

    Raises:
        FileExistsError: the destination exists by the time of the rename.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    staged = destination.with_name(f"{STAGING}{destination.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    staged.mkdir()
    try:
        yield staged
        sync_tree(staged)
        if destination.exists():  # a rename would replace an empty directory
            raise FileExistsError(str(destination))
        try:
            staged.rename(destination)
        except OSError as error:
            if destination.exists():
                raise FileExistsError(str(destination)) from error
            raise
        sync_directory(destination.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def remove_stale_staging(parent: Path) -> None:
    """Remove what a killed writer left behind in `parent`: staging directories whose process is gone."""
    for staged in parent.glob(f"{STAGING}*"):
        pid = staged.name.rsplit("-", 2)[-2]
        if staged.is_dir() and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(staged, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync_tree(directory: Path) -> None:
    """fsync every file and folder below a directory, and the directory."""
    for path in (*directory.rglob("*"), directory):
        if path.is_dir():
            sync_directory(path)
        elif path.is_file():
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
