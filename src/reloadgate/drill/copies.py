"""Copies of a model version that may be damaged: they share storage with it, and nothing is ever written through to it.

A copy holds one artifact by itself (or all of them) and the evidence of it, under a manifest and a record of its own, in a
place that is as persistent as the project. It is verified like any other version.
"""

import contextlib
import os
import shutil
from copy import copy as shallow
from dataclasses import replace
from pathlib import Path

from reloadgate.evidence import EVIDENCE_DIR, Artifact, File, read_saved
from reloadgate.files import project_root, regular_files, scratch
from reloadgate.formats import belongs, own
from reloadgate.nouns import SCHEMA_VERSION, canonical, digest, to_dict
from reloadgate.project import PLACE, Subject, VersionRecord
from reloadgate.recording import manifest

_FICLONE = 0x40049409
"""Linux' ioctl that gives a file the storage of another until one of them is written (`ioctl_ficlone`, 2)."""


class DoesNotApplyError(Exception):
    """A damage cannot happen to an artifact; the message says why."""


class Original:
    """A model version that is drilled.

    Args:
        record: what training recorded of it; None where there is no record, and the copies then have none either.

    Raises:
        UnreadableRecordError: it has no evidence.
    """

    def __init__(self, subject: Subject, record: VersionRecord | None) -> None:
        self.name, self.version, self.recorded = subject.name, subject.directory.absolute(), record is not None
        self.saved, self.arrays = read_saved(self.version / EVIDENCE_DIR)
        self.bytes = sum(file.size for file in self.saved.files)

    @property
    def others(self) -> list[Path]:
        """Versions of other models beside this one, as projects lay them out: `models/<name>/<version>`."""
        mine = self.version.parent
        return sorted(path.parent for path in mine.parent.glob(f"*/*/{EVIDENCE_DIR}") if path.parent.parent != mine)


class Copy:
    """A copy of some artifacts of a version, alone, laid out at once.

    Args:
        version: the directory to make, in a folder that is made for it alone.
    """

    def __init__(self, original: Original, artifacts: tuple[Artifact, ...], version: Path) -> None:
        self.original, self.artifacts, self.version = original, artifacts, version
        self.number = version.parent.name
        self._folder, self._held = version.parent, contextlib.ExitStack()
        own_loader = any(artifact.format == own.NAME for artifact in artifacts)
        for name in regular_files(original.version):
            if name.parts[0] == EVIDENCE_DIR or any(belongs(artifact, name) for artifact in artifacts):
                (version / name).parent.mkdir(parents=True, exist_ok=True)
                # The user's own loader is given the directory, and may write there.
                share(original.version / name, version / name, linked=not own_loader)
        self.recorded = tuple(file for file in original.saved.files if any(belongs(a, Path(file.path)) for a in artifacts))
        """The original's manifest."""
        self.saved = replace(original.saved, artifacts=artifacts, files=self.recorded)
        """The evidence of the copy; `seal` writes it."""

    @property
    def evidence(self) -> Path:
        return self.version / EVIDENCE_DIR

    @property
    def artifact(self) -> Artifact:
        return self.artifacts[0]

    def only(self, artifact: Artifact) -> "Copy":
        """The same copy, with its eye on another of its artifacts."""
        other = shallow(self)
        other.artifacts = (artifact,)
        return other

    @property
    def path(self) -> Path:
        """The first artifact."""
        return self.version / self.artifact.path

    @property
    def files(self) -> list[Path]:
        """The files of the first artifact."""
        return [
            self.version / name for name in regular_files(self.version, leave_out=EVIDENCE_DIR) if belongs(self.artifact, name)
        ]

    def move_to_temporary(self) -> Path:
        """Take the copy into the system's temporary directory, into a folder that goes when the copy does."""
        folder = self._held.enter_context(scratch("drill"))
        return Path(shutil.move(self.version, folder / "version"))

    def remove(self) -> None:
        """Remove the copy with the folders that were made for it."""
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, path: Path, data: bytes) -> None:
        """Give a file of the copy other bytes; the original's, whose storage it may share, stay."""
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def seal(self) -> None:
        """Write the copy's evidence, sealed."""
        data = to_dict(self.saved)
        sealed = {"schema_version": self.saved.schema_version, "sha256": digest(data), "record": data}
        self.write(self.evidence / "evidence.json", canonical(sealed))

    def match(self) -> None:
        """Make the manifest match what lies there now, as if the save itself had written it."""
        self.saved = replace(self.saved, files=manifest(self.version))

    def record(self, name: str) -> VersionRecord:
        """What training would record of the copy as its evidence is now, under the name that it is verified by."""
        return VersionRecord(
            schema_version=SCHEMA_VERSION,
            name=name,
            path=str(self.version),
            evidence_sha256=digest(to_dict(self.saved)),
            files=self.saved.files,
        )


def altered(recorded: tuple[File, ...], read: dict[str, str]) -> bool:
    """Whether the digests of a manifest tell that other files were read."""
    return {file.path: file.sha256 for file in recorded} != read


def share(source: Path, target: Path, linked: bool = True) -> None:
    """Copy a file without copying its storage where the file system can.

    Args:
        linked: whether a hard link will do: whoever writes into it in place writes into the source.
    """
    source = source.resolve()  # DVC may have linked it to its cache
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        with source.open("rb") as one, target.open("xb") as other:
            fcntl.ioctl(other, _FICLONE, one.fileno())
        return
    target.unlink(missing_ok=True)
    if linked:
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def place_for(version: Path) -> Path:
    """Where the copies of a version lie: in its project, where git and DVC leave them alone; beside it where it has none."""
    root = project_root(version)
    return root / PLACE if root else version.parent
