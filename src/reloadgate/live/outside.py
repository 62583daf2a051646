"""What a reload reads that its version does not hold: where it stays behind or changes, the model is another, or none."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
from tensorflow.python.lib.io import _pywrap_file_io
from tensorflow.python.lib.io.file_io import FileIO
from tensorflow.python.training import py_checkpoint_reader

from reloadgate.evidence import EVIDENCE_DIR, Check, Group, Tried
from reloadgate.files import regular_files

_SYSTEM = ("/etc/", "/lib/", "/lib64/", "/usr/lib/", "/usr/share/")
"""Where libraries read what is the system's: time zones, certificates, types of files. What is installed is left out already."""


def tell_of_opens() -> None:
    """Let Python's audit (PEP 578) hear of the files that HDF5 and TensorFlow open too; for good, in this process."""
    _told(h5py.h5f, "open")
    _told(py_checkpoint_reader, "NewCheckpointReader", suffix=".index")  # it is given what the names of its files begin with
    _told(_pywrap_file_io, "CopyFile")
    initialise = FileIO.__init__

    def opening(self: Any, name: Any, mode: str, *rest: Any, **named: Any) -> None:
        sys.audit("open", os.fsdecode(name), mode, os.O_TRUNC if "w" in mode else 0)
        initialise(self, name, mode, *rest, **named)

    FileIO.__init__ = opening


def _told(module: Any, name: str, suffix: str = "") -> None:
    original = getattr(module, name)

    def opening(path: Any, *rest: Any, **named: Any) -> Any:
        sys.audit("open", os.fsdecode(path) + suffix, "r", 0)
        return original(path, *rest, **named)

    setattr(module, name, opening)


def outside(opened: Iterable[str], config: Any, version: Path, *code: Path) -> Iterator[Check]:
    """A check that cannot be made for every file that was read, or is named by the configuration, and is not the version's.

    What lies beside a module, or below a package, that was imported is the code's own.

    Args:
        opened: absolute paths, behind links.
        config: what the artifact says of itself, whose vocabularies TensorFlow reads without Python hearing of it.
        code: folders of code besides.
    """
    roots = tuple(os.path.realpath(folder) + os.sep for folder in (version, *code))
    read = {path for path in opened if not path.startswith(_SYSTEM)}
    found = {path for path in {*read, *_named(config)} if not path.startswith(roots) and Path(path).is_file()}
    found -= _files(version) if found else set()
    if not found:
        return
    modules = [Path(os.path.realpath(file)) for file in (getattr(m, "__file__", None) for m in [*sys.modules.values()]) if file]
    beside, packages = {file.parent for file in modules}, {file.parent for file in modules if file.stem == "__init__"}
    for path in sorted(found):
        folder = Path(path).parent
        if folder not in beside and packages.isdisjoint(folder.parents):
            message = "the model reads it, and it lies outside of the version: nothing tells that it stays what it is"
            yield Check(group=Group.RELOCATION, subject=path, tried=Tried.UNCHECKED, message=message)


def strayed(opened: Iterable[str], version: Path) -> Iterator[Check]:
    """A check that broke where the version was read although another directory was given."""
    for path in sorted(of_version(opened, version)):
        message = "the loader reads it although it was given another directory: let it read what it is given"
        yield Check(group=Group.RELOCATION, subject=path, tried=Tried.BROKEN, message=message)


def of_version(opened: Iterable[str], version: Path) -> set[str]:
    """Those of the files that are the version's, its evidence left out."""
    return _files(version, leave_out=EVIDENCE_DIR) & {*opened}


def _files(version: Path, leave_out: str = "") -> set[str]:
    """A version's files, which DVC may have linked into its cache."""
    return {os.path.realpath(version / name) for name in regular_files(version, leave_out)}


def _named(config: Any) -> Iterator[str]:
    """The absolute paths in a configuration."""
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _named(value)
    elif isinstance(config, str) and config.startswith(os.sep) and "\0" not in config:
        yield os.path.realpath(config)
