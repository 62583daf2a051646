"""The project that versions lie in: what `params.yaml` names, and the records that training leaves."""

import difflib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, Artifact, File, SavedEvidence, read_sealed
from reloadgate.files import project_root, remove_abandoned
from reloadgate.formats import artifact_at, artifacts_in
from reloadgate.inspection import Limits
from reloadgate.nouns import SCHEMA_VERSION, digest, noun, read_record, to_dict, write_json
from reloadgate.policy import Policy, policy_from, read_yaml
from reloadgate.settings import strictly

PARAMS = Path("params.yaml")
MODELS = Path("models")
RECORDS = Path("reports/versions")
EVIDENCE = Path("reports/evidence")
REPORTS = Path("reports")
PLACE = ".dvc/tmp/reloadgate"
"""Where copies of versions lie: a part of the project that git and DVC leave alone, and as persistent as the project is."""


@noun
class VersionRecord:
    """The small record of a model version that git tracks: where it is and the digests of what it holds."""

    schema_version: str
    name: str
    path: str
    evidence_sha256: str
    files: tuple[File, ...]


@noun
class Subject:
    """A model version to verify, and the name it goes by."""

    name: str
    path: str

    @property
    def directory(self) -> Path:
        return Path(self.path)


def pipeline_root(version: Path) -> Path | None:
    """The folder in whose `params.yaml` a version is named; the repository's root where there is none, or None.

    Args:
        version: an absolute path.
    """
    root = project_root(version)
    return next((parent for parent in version.parents if parent == root or (parent / PARAMS).is_file()), None)


def write_record(version: Path, records: Path) -> None:
    """Write the record of `models/<name>/<version>`, which was just saved, as `<records>/<name>.json`.

    Its path is the one that `params.yaml` gives the version, however the version was named, and says nothing of this machine.
    """
    place = Path(os.path.normpath(version.absolute()))  # not resolved: `models` may be a link to another disk
    name, root = place.parent.name, pipeline_root(place)
    saved = read_sealed(SavedEvidence, version / EVIDENCE_DIR)
    record = VersionRecord(
        schema_version=SCHEMA_VERSION,
        name=name,
        path=(place.relative_to(root) if root else version).as_posix(),
        evidence_sha256=saved.sha256,
        files=saved.record.files,
    )
    remove_abandoned(records)
    write_json(records / f"{name}.json", to_dict(record))


def read_records(records: Path = RECORDS) -> dict[str, VersionRecord]:
    """Every record in a folder, by name.

    Raises:
        UnreadableRecordError: one is damaged, or is filed under another name than its own.
    """
    found = {}
    for path in sorted(records.glob("*.json")):
        record = read_record(VersionRecord, path)
        if record.name != path.stem:
            raise UnreadableRecordError(f"{path} is the record of {record.name!r}: a record was copied; train again")
        found[record.name] = record
    return found


def declared(params: Mapping[str, Any]) -> list[Subject]:
    """The model versions that `params.yaml` names under `models`.

    Raises:
        UsageError: there are none, or one has no version.
    """
    models = params.get("models")
    if not isinstance(models, dict) or not models:
        raise UsageError("params.yaml names no model: add `models: {<name>: {version: 1.0.0}}`, or name the paths to verify")
    for name, settings in models.items():
        if not isinstance(settings, dict) or "version" not in settings:
            raise UsageError(f"params.yaml: models.{name} has no version")
    return [Subject(name=str(name), path=(MODELS / str(name) / str(s["version"])).as_posix()) for name, s in models.items()]


def read_policy(overrides: Iterable[str] = ()) -> Policy:
    """The policy of the working directory's `params.yaml`, the default where there is no such file.

    Raises:
        UsageError: it is no policy, or it stands under a mistyped name.
    """
    sections = [str(name) for name in (read_yaml(PARAMS) if PARAMS.exists() else {})]
    if "policy" not in sections and (close := difflib.get_close_matches("policy", sections, n=1, cutoff=0.8)):
        raise UsageError(f"params.yaml has no section policy; did you mean it by {close[0]}?")
    return policy_from(read_section("policy"), overrides)


def read_section(name: str, over: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A section of the working directory's `params.yaml`, empty where there is none, with `over` on top.

    Raises:
        UsageError: it is no mapping.
    """
    return section(read_yaml(PARAMS) if PARAMS.exists() else {}, name) | dict(over or {})


def read_limits(project: Path = Path()) -> Limits:
    """The limits of inspection of a project's `params.yaml`, the default where it sets none.

    Raises:
        UsageError: they are none.
    """
    params = project / PARAMS
    return strictly(Limits, section(read_yaml(params) if params.exists() else {}, "inspect"), f"{params}: inspect")


def limits_above(version: Path) -> Limits:
    """The limits of the nearest `params.yaml` above a version, and not in it: what it may be is not for itself to say."""
    root = pipeline_root(version.absolute())
    return read_limits(root) if root else Limits()


def section(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A section of `params.yaml`, empty where there is none.

    Raises:
        UsageError: it is no mapping.
    """
    settings = params.get(name)
    if settings is not None and not isinstance(settings, dict):
        raise UsageError(f"params.yaml: {name} is not a mapping")
    return {str(key): value for key, value in (settings or {}).items()}


def demand_readable(path: Path) -> None:
    """
    Raises:
        UsageError: there is neither a directory nor a regular file at that path.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: name a model version (models/<name>/<version>) or an artifact") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be looked at: {error.strerror}") from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UsageError(f"{path} is neither a directory nor a regular file: name a model version or an artifact")


def artifacts_of(version: Path, saved: SavedEvidence | None) -> tuple[Artifact, ...]:
    """The artifacts that the evidence names; without evidence, those that are there."""
    if saved is not None:
        return saved.artifacts
    if version.is_file():
        return (artifact_at(version),)
    return artifacts_in(version, None)


def file_name_of(name: str) -> str:
    """What files of a model are called by: its name; where that is a path, a name of its own for every path."""
    if re.fullmatch(r"\w[\w.-]*", name):
        return name
    plain = re.sub(r"[^\w.-]", "_", name)
    return f"{plain}-{digest(name)[:12]}"  # two paths may differ only in what is not plain


def folder_of(out: Path, name: str, artifact: Artifact) -> Path:
    """Where the reloaded evidence of an artifact lies."""
    return out / file_name_of(name) / ("own" if artifact.path == "." else artifact.path)
