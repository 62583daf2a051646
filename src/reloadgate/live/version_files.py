"""The files of a version as a reload reads them: what is loaded is what was hashed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from reloadgate.evidence import EVIDENCE_DIR, Artifact, Check, File, Group, Tried
from reloadgate.files import regular_files, sha256_file
from reloadgate.formats import belongs


def copy_and_hash(version: Path, artifact: Artifact, private: Path, bare: bool) -> tuple[File, ...]:
    """Hash every file of the version while copying it: what is loaded from `private` is what was hashed."""
    if not bare:
        names = list(regular_files(version, leave_out=EVIDENCE_DIR))
    elif (version / artifact.path).is_dir():
        names = [Path(artifact.path) / name for name in regular_files(version / artifact.path, leave_out=EVIDENCE_DIR)]
    else:
        names = [Path(artifact.path)]
    found = []
    for name in names:
        copy = private / name if belongs(artifact, name) else None
        if copy:
            copy.parent.mkdir(parents=True, exist_ok=True)
        if not (version / name).is_file():
            continue  # a row of the comparison: missing, or no regular file
        sha256, size = sha256_file(version / name, copy_to=copy)
        found.append(File(path=name.as_posix(), sha256=sha256, size=size))
    return tuple(found)


def age_otherwise(version: Path, private: Path) -> None:
    """Let the copies be changed last in the reverse order of the version's own files: no checkout keeps who was first."""
    copies = [name for name in regular_files(version, leave_out=EVIDENCE_DIR) if (private / name).is_file()]
    times = sorted((private / name).stat().st_mtime_ns for name in copies)
    copies.sort(key=lambda name: ((version / name).stat().st_mtime_ns, name), reverse=True)
    for second, (name, time) in enumerate(zip(copies, times, strict=True)):
        os.utime(private / name, ns=(time, time + second * 1_000_000_000))


def irregular(version: Path) -> Iterator[Check]:
    """What else lies in a version: pipes, devices, links that lead nowhere."""
    for name in regular_files(version, leave_out=EVIDENCE_DIR):
        if not (version / name).is_file():
            message = "it is no file, nor a link to one: take it out of the version"
            yield Check(group=Group.INTEGRITY, subject=name.as_posix(), tried=Tried.BROKEN, message=message)


def stamps(version: Path) -> dict[Path, tuple[int, ...]]:
    """What the system says of every file and folder of a version, and of what links lead to.

    It changes with every write, rename and new link, and the time of the last change cannot be set back.
    """
    files = list(regular_files(version))
    paths = {version / path for file in files for path in (file, *file.parents)}
    found_of: dict[Path, tuple[int, ...]] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            for found in (path.lstat(), path.stat()):
                marks = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                found_of[path] = (*found_of.get(path, ()), *marks)
    return found_of


def unchanged(version: Path, before: dict[Path, tuple[int, ...]]) -> Check:
    """Whether the files that the user's own loader was free to read are still those that were hashed."""
    after = stamps(version)
    changed = sorted(str(path) for path in {*before, *after} if before.get(path) != after.get(path))
    tried = Tried.UNCHECKED if changed else Tried.HOLDS
    message = f"{changed[0]} changed while the loader ran: what it read may not be what was hashed" if changed else ""
    return Check(group=Group.INTEGRITY, subject="during the reload", tried=tried, message=message)
