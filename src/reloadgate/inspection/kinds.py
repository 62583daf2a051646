"""Which kind of artifact a path is, and the module that looks at it. All of this runs in the limited process."""

import os
import re
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from reloadgate.inspection import arrays, bundle, checkpoints, keras_archive, legacy, saved_model, weights
from reloadgate.inspection.declared import Declared
from reloadgate.inspection.documents import parsed
from reloadgate.inspection.found import Inspected, Member, RefusedError, Report
from reloadgate.inspection.hdf5 import SIGNATURE, opened
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.pickles import is_program
from reloadgate.inspection.reading import Folder, Source, check_file_name, copied
from reloadgate.text import error_line

SHARD = re.compile(r"\.data-\d{5}-of-\d{5}$")
DEEPEST = 8
"""Directories inside directories in which artifacts are looked for."""


def look(path: Path, declared: Declared, limits: Limits) -> Inspected:
    """Inspect one path; whatever goes wrong on the way is a finding that refuses."""
    report = Report(str(path))
    parts: list[Inspected] = []
    try:
        parts = _look(path, declared, limits, report, 0)
    except RefusedError as refused:
        report.refuse(*refused.finding)
    except MemoryError:
        report.refuse("too-large", path.name, f"looking at it takes more than {limits.memory} bytes of memory")
    except Exception as error:
        report.refuse("damaged", path.name, f"inspection could make no sense of it: {error_line(error, 300)}")
    return report.inspected(tuple(parts))


def _look(path: Path, declared: Declared, limits: Limits, report: Report, depth: int) -> list[Inspected]:
    check_file_name(path.name, path.name)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        if os.path.lexists(f"{path}.index"):
            _checkpoint(path, limits, report)
            return []
        raise RefusedError(
            "missing", str(path), "there is no such file", "name a file, a directory, or a checkpoint's prefix"
        ) from None
    except OSError as error:
        raise RefusedError("unreadable", str(path), f"it cannot be looked at: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        return _directory(path, declared, limits, report, depth)
    _file(path, declared, limits, report)
    return []


def _directory(path: Path, declared: Declared, limits: Limits, report: Report, depth: int) -> list[Inspected]:
    try:
        with os.scandir(path) as entries:
            is_folder = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError as error:
        raise RefusedError("unreadable", str(path), f"it cannot be listed: {error.strerror}") from None
    names = set(is_folder)
    bundles = {name for name in names if _is_checkpoints(name) and not is_folder[name]}
    if saved_model.GRAPH in names or "fingerprint.pb" in names or ("variables" in names and keras_archive.CONFIG not in names):
        _folder(path, limits, report, lambda folder: saved_model.inspect(folder, limits, report))
    elif keras_archive.CONFIG in names or {keras_archive.METADATA, keras_archive.WEIGHTS} <= names:
        _folder(path, limits, report, lambda folder: keras_archive.inspect_folder(folder, declared, limits, report))
    elif names and names == bundles:
        _folder(path, limits, report, lambda folder: checkpoints.inspect(folder, limits, report))
    else:
        return _several(path, names, bundles, declared, limits, report, depth)
    return []


def _folder(
    path: Path, limits: Limits, report: Report, act: Callable[[Folder], None], only: Callable[[str], bool] | None = None
) -> None:
    folder = Folder(path, limits, report, only)
    try:
        act(folder)
    finally:
        folder.close()


def _is_checkpoints(name: str) -> bool:
    return name == "checkpoint" or name.endswith(".index") or SHARD.search(name) is not None


def _several(
    path: Path, names: set[str], bundles: set[str], declared: Declared, limits: Limits, report: Report, depth: int
) -> list[Inspected]:
    """A directory of a user's own: every artifact in it, each as a part; the files of its checkpoints together."""
    report.kind = "directory"
    if not names:
        raise RefusedError("empty", path.name, "the directory holds nothing", "name a file or a directory that holds a model")
    if depth >= DEEPEST or len(names) > limits.members:
        raise RefusedError("too-many", path.name, f"{len(names)} files, {depth} directories deep")
    shards = {shard for name in names if name.endswith(".weights.json") for shard in _shards(path / name, limits)}
    parts = []
    if any(name.endswith(".index") for name in bundles):
        part = Report(str(path))
        try:
            _folder(path, limits, part, lambda folder: checkpoints.inspect(folder, limits, part), bundles.__contains__)
        except RefusedError as refused:
            part.refuse(*refused.finding)
        parts.append(part.inspected())
        names = names - bundles
    for name in sorted(names - shards):
        part = Report(str(path / name))
        inside: list[Inspected] = []
        try:
            inside = _look(path / name, declared, limits, part, depth + 1)
        except RefusedError as refused:
            if refused.finding[0] == "unknown-format":
                part.note(*refused.finding)
            else:
                part.refuse(*refused.finding)
        parts.append(part.inspected(tuple(inside)))
    return parts


def _shards(path: Path, limits: Limits) -> set[str]:
    try:
        with closing(copied(path, limits)) as source:
            return {name for names in weights.shards_of(source, limits).values() for name in names}
    except RefusedError:
        return set()  # said where the map itself is looked at


def _checkpoint(prefix: Path, limits: Limits, report: Report) -> None:
    report.kind = "checkpoint"
    name = prefix.name
    _folder(
        prefix.parent, limits, report, lambda folder: bundle.inspect(folder, name, limits, report),
        lambda file: file == f"{name}.index" or file.startswith(f"{name}.data-"),
    )  # fmt: skip


def _file(path: Path, declared: Declared, limits: Limits, report: Report) -> None:
    name = path.name
    if name.endswith(".index"):
        return _checkpoint(path.with_name(name.removesuffix(".index")), limits, report)
    source = copied(path, limits, place=name)
    try:
        if name.endswith(".weights.json"):
            shards = {one for names in weights.shards_of(source, limits).values() for one in names}
            _folder(
                path.parent, limits, report, lambda folder: weights.inspect_shards(folder, name, limits, report),
                lambda file: file == name or file in shards,
            )  # fmt: skip
            return None
        if name == "checkpoint":
            _folder(path.parent, limits, report, lambda folder: checkpoints.inspect(folder, limits, report), _is_checkpoints)
            return None
        report.members.append(Member(path=name, size=source.size, stored=source.size))
        _of_suffix(source, name.lower(), declared, limits, report)
    finally:
        source.close()


def _of_suffix(source: Source, name: str, declared: Declared, limits: Limits, report: Report) -> None:
    """By its suffix, as loaders do; where that says nothing, by its first bytes."""
    head = source.read(0, 8)
    if name.endswith(".keras"):
        report.members.clear()
        keras_archive.inspect_file(source, declared, limits, report)
    elif name.endswith("weights.h5"):
        weights.inspect_file(source, limits, report)
    elif name.endswith(".npy") or head.startswith(arrays.MAGIC):
        arrays.inspect_npy(source, limits, report)
    elif name.endswith(".npz"):
        report.members.clear()
        arrays.inspect_npz(source, limits, report)
    elif name.endswith((".h5", ".hdf5")) or head == SIGNATURE:
        _hdf5(source, declared, limits, report)
    elif is_program(source):
        report.kind = "program"
        raise RefusedError("pickle", source.name, "a pickle or another program, which runs when it is read")
    elif head.startswith(b"PK"):
        raise RefusedError("suffix", source.name, "an archive whose name does not say what it is", "name it .keras or .npz")
    elif name.endswith(".json"):
        report.kind = "json"
        parsed(source.read(0, limits.config + 1), source.name, limits.config, limits)
    else:
        raise RefusedError("unknown-format", source.name, "no kind of artifact that reloadgate knows", "see docs/security.md")


def _hdf5(source: Source, declared: Declared, limits: Limits, report: Report) -> None:
    with opened(source) as file:
        plain = not ({"model_config", "layer_names", "training_config"} & set(file.attrs)) and legacy.WEIGHTS not in file
        new = plain and ("layers" in file or "vars" in file)
    if new:
        weights.inspect_file(source, limits, report)
    else:
        legacy.inspect_file(source, declared, limits, report)
