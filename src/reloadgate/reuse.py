"""Evidence of an earlier reload, used again where everything that it came from is the same by digest.

What is not known to be the same is reloaded: only evidence of a model that loaded and broke nothing is kept, and only where
the user's code gave nothing but class definitions. A loader or a builder may read whatever it likes, and runs every time.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reloadgate.engine import Job
from reloadgate.engine.footprint import FOOTPRINT, Footprint
from reloadgate.errors import ReloadgateError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Group,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    broken_seals,
    read_saved,
    read_sealed,
)
from reloadgate.files import digests, project_root, sha256_file
from reloadgate.nouns import digest, noun, read_record, to_dict, write_json
from reloadgate.places import look_at
from reloadgate.surroundings import fresh

FILES = ("evidence.json", "arrays.npz")
BASIS = "basis.json"


@noun
class Basis:
    """What kept evidence came from."""

    digest: str
    """Of the version's files, the code, the installed packages and this machine, as `_basis` takes it."""
    footprint: Footprint


class Store:
    """Kept evidence, a folder an artifact. Whatever is wrong with it, the artifact is reloaded.

    Args:
        folder: where it is kept; nobody else writes there.
        variables: the caller's environment.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] = os.environ) -> None:
        self._folder = folder
        self._machine = {
            "variables": fresh(variables, ()),
            "python": [sys.version, sys.prefix, os.path.realpath(sys.executable)],
            "machine": [*platform.uname(), os.cpu_count(), _affinity()],
            "installed": _stamps(*{sysconfig.get_path(name) for name in ("purelib", "platlib")}),
            "reloadgate": digests(Path(__file__).parent),
        }

    def find(self, job: Job) -> bool:
        """Put kept evidence where the job's would go; False where there is none that may be used."""
        kept = self._place(job)
        if not (kept / BASIS).is_file():
            return False
        try:
            basis = read_record(Basis, kept / BASIS)
            if basis.digest != self._basis(job) or not _same_files(basis.footprint):
                return False
            reloaded = read_sealed(ReloadedEvidence, kept)
            if not reloaded.whole or sha256_file(kept / "arrays.npz")[0] != reloaded.record.arrays_sha256:
                return False
            Path(job.out).mkdir(parents=True, exist_ok=True)
            for name in FILES:
                shutil.copyfile(kept / name, Path(job.out) / name)
        except (ReloadgateError, OSError, KeyError):
            return False
        return True

    def keep(self, job: Job) -> None:
        """Keep what a job left, if it may be used again; forget what was kept before."""
        kept, out = self._place(job), Path(job.out)
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(ReloadgateError, OSError):
            footprint = read_record(Footprint, out / FOOTPRINT)
            reloaded = read_sealed(ReloadedEvidence, out).record
            if footprint.unknown or not _may_be_kept(reloaded) or not self._read_the_same(job, reloaded):
                return
            kept.mkdir(parents=True)
            for name in FILES:
                shutil.copyfile(out / name, kept / name)
            write_json(kept / BASIS, to_dict(Basis(digest=self._basis(job), footprint=footprint)))

    def _place(self, job: Job) -> Path:
        return self._folder / digest([job.version, to_dict(job.artifact)])

    def _basis(self, job: Job) -> str:
        """Digest of everything known beforehand that evidence comes from.

        Raises:
            UnreadableRecordError: the version has no evidence that can be read.
            OSError: a file cannot be read.
        """
        version = Path(job.version)
        recipe = read_saved(version / EVIDENCE_DIR)[0].recipe
        code = [(project_root(version) or version) / folder for folder in recipe.code_path]
        return digest(
            {
                "version": [job.version, digests(version)],
                "artifact": to_dict(job.artifact),
                "inspecting": to_dict(job.inspecting),
                "place": to_dict(look_at(version)),
                "importable": {str(folder): _importable(folder) for folder in code},
                **self._machine,
            }
        )

    def _read_the_same(self, job: Job, reloaded: ReloadedEvidence) -> bool:
        """Whether the files are still those that the child has read, and the user's part in it was class definitions."""
        version = Path(job.version)
        evidence = version / EVIDENCE_DIR
        saved = read_sealed(SavedEvidence, evidence)
        if broken_seals(evidence, saved) or reloaded.saved_sha256 != saved.sha256:
            return False
        read = {file.path: file.sha256 for file in reloaded.files}
        now = {path: sha256 for path, sha256 in digests(version).items() if Path(path).parts[0] != EVIDENCE_DIR}
        return saved.record.recipe.only_defines and read == now


def _may_be_kept(reloaded: ReloadedEvidence) -> bool:
    """A model that loaded, in which nothing broke, on devices that this process can tell, and that names no other file."""
    return (
        reloaded.loaded
        and not reloaded.error
        and all(check.tried in (Tried.HOLDS, Tried.SKIPPED) or check.group is Group.CONTAINMENT for check in reloaded.checks)
        and reloaded.environment is not None
        and all("CPU" in device for device in reloaded.environment.devices)
        and not _names_a_file(reloaded.stored_config)
    )


def _names_a_file(config: Any) -> bool:
    """Whether a configuration names a path: TensorFlow would read it without Python hearing of it."""
    if isinstance(config, dict):
        return any(map(_names_a_file, config.values()))
    if isinstance(config, list):
        return any(map(_names_a_file, config))
    return isinstance(config, str) and ((os.sep in config and Path(config).parent.is_dir()) or "://" in config)


def _same_files(footprint: Footprint) -> bool:
    return not footprint.unknown and all(
        Path(path).is_file() and sha256_file(Path(path))[0] == sha256 for path, sha256 in footprint.files.items()
    )


def _importable(folder: Path) -> list[str]:
    """Modules and packages in a folder: a new one may stand before another of its name."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name for path in folder.iterdir() if path.suffix in (".py", ".so", ".pyd") or (path / "__init__.py").is_file()
    )


def _stamps(*folders: str) -> str:
    """Digest of names, sizes and times of all installed files: 35 000 of them take a third of a second."""
    hasher = hashlib.sha256()
    for root in sorted(folders):
        for folder, folders_below, names in os.walk(root):
            folders_below[:] = sorted(name for name in folders_below if name != "__pycache__")
            for name in sorted(names):
                found = os.lstat(f"{folder}/{name}")
                hasher.update(f"{folder}/{name} {found.st_size} {found.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return hasher.hexdigest()


def _affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
