"""A `.keras` archive, and the same unzipped in a directory."""

import importlib.metadata
import re
from typing import Any

from reloadgate.inspection import agreement, configuration
from reloadgate.inspection.archive import members_of
from reloadgate.inspection.declared import Declared, known_keras
from reloadgate.inspection.documents import parsed, walk
from reloadgate.inspection.expected import is_container, layers_of
from reloadgate.inspection.found import RefusedError, Report
from reloadgate.inspection.hdf5 import Contents, opened
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.pickles import is_program
from reloadgate.inspection.reading import Folder, Source

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = (METADATA, CONFIG, WEIGHTS)
ASSETS = "assets/"
VOCABULARY = "/vocabulary.txt"
LOOKUPS = {"IndexLookup", "StringLookup", "IntegerLookup", "TextVectorization"}
"""Layers of Keras that keep a vocabulary in a file."""
VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})[\w.+-]{0,40}")


def inspect_file(source: Source, declared: Declared, limits: Limits, report: Report) -> None:
    report.kind = "keras archive"
    if not source.size:
        raise RefusedError("empty", source.name, "it has no bytes")
    _check(members_of(source, limits, report), True, declared, limits, report)


def inspect_folder(folder: Folder, declared: Declared, limits: Limits, report: Report) -> None:
    report.kind = "keras directory"
    _check(folder.files, False, declared, limits, report)


def _check(files: dict[str, Source], zipped: bool, declared: Declared, limits: Limits, report: Report) -> None:
    missing = [member for member in MEMBERS if member not in files]
    for member in missing:
        report.refuse("missing-member", member, "the member is missing")
    root = None
    if CONFIG in files:
        root = parsed(files[CONFIG].read(0, limits.config + 1), CONFIG, limits.config, limits)
        if "module" not in root:
            report.refuse("config", CONFIG, "the outermost object names no module")
        configuration.check(root, CONFIG, declared, limits, report)
    if METADATA in files:
        _check_metadata(files[METADATA], limits, report)
    _check_others(files, zipped, _vocabularies(root, report), report)
    if WEIGHTS in files:
        with opened(files[WEIGHTS]) as file:
            contents = Contents(file, files[WEIGHTS], limits, report)
            if contents.was_cut:
                report.note("unused-bytes", WEIGHTS, f"{contents.unowned} bytes belong to nothing: something was deleted from it")
            if root is not None:
                agreement.check(root, contents.datasets, contents.groups, WEIGHTS, report)
            contents.read_all(_of_custom_layers(root))


def _of_custom_layers(root: dict[str, Any] | None) -> Any:
    """Which variables may be infinite on purpose, as a mask is: those of layers whose rules are not Keras'."""
    if root is None or not is_container(root):
        return lambda path: root is not None and not path.startswith("optimizer/")
    custom = tuple(layer.group + "/" for layer in layers_of(root) if not layer.kerass)
    return lambda path: path.startswith(custom)


def _check_metadata(source: Source, limits: Limits, report: Report) -> None:
    metadata = parsed(source.read(0, limits.metadata + 1), METADATA, limits.metadata, limits)
    check_version(metadata.get("keras_version"), METADATA, report)


def check_version(version: Any, place: str, report: Report) -> None:
    """The version of Keras that wrote the artifact against the one that would read it."""
    match = VERSION.fullmatch(version) if isinstance(version, str) else None
    if not match:
        report.refuse("version", place, f"keras_version is {version!r}, which is no version")
        return
    report.versions.add(f"keras {version}")
    try:
        ours = importlib.metadata.version("keras")
    except importlib.metadata.PackageNotFoundError:
        ours = known_keras()
    own = VERSION.fullmatch(ours)
    assert own is not None
    if int(match[1]) > int(own[1]):
        report.refuse("version", place, f"written by Keras {version}, and this is {ours}", "install the Keras that wrote it")
    elif (int(match[1]), int(match[2])) > (int(own[1]), int(own[2])):
        report.note("version", place, f"written by Keras {version}, which is newer than {ours}")


def _vocabularies(root: dict[str, Any] | None, report: Report) -> tuple[str, ...]:
    """Where vocabularies may lie: with lookups of the configuration; of custom classes, anywhere among the assets."""
    if root is None or not is_container(root) or report.custom:
        return (ASSETS,)
    return tuple(
        f"{ASSETS}{layer.group}/"
        for layer in layers_of(root)
        if any(isinstance(one, dict) and one.get("class_name") in LOOKUPS for _, one in walk(layer.config))
    )


def _check_others(files: dict[str, Source], zipped: bool, vocabularies: tuple[str, ...], report: Report) -> None:
    """What is neither configuration nor weights: vocabularies, and what custom layers save."""
    for name, source in files.items():
        if name in MEMBERS:
            continue
        if name.startswith(vocabularies) and name.endswith(VOCABULARY):
            _check_vocabulary(source, report)
        elif is_program(source):
            report.refuse("pickle", name, "a program, which runs when it is read")
        elif name.startswith(ASSETS) and report.custom:
            report.note("asset", name, "read by a custom layer")
        elif zipped:
            report.refuse("extra-member", name, "Keras writes no such member")
        else:
            report.note("extra-file", name, "Keras writes no such file, and reads none")


def _check_vocabulary(source: Source, report: Report) -> None:
    try:
        text = source.read().decode("utf-8")
    except UnicodeDecodeError as error:
        report.refuse("utf8", source.name, f"no UTF-8 text: {error.reason}")
        return
    if "\0" in text:
        report.refuse("asset", source.name, "a vocabulary that holds NUL bytes")
