"""Whether a model version was pushed: what DVC tracks of it, held against the bytes that lie there and against the remote.

Every object is asked for by its digest. DVC's own `status --cloud` believes that a folder which is in the remote is there whole,
and says nothing of outputs that are never pushed.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from reloadgate.comparison import Comparison, ModelComparison, Outcome, Row
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import Group
from reloadgate.extras import need
from reloadgate.files import md5_file, md5_files
from reloadgate.policy import Policy
from reloadgate.rows import row_of
from reloadgate.text import error_line, one_line

PUSHED = "DVC remote"
"""The subject of the row."""


def with_remote(comparison: Comparison, policy: Policy) -> Comparison:
    """The comparison with a row a model of what the remote has; as it is where the policy does not ask."""
    if not policy.pushed:
        return comparison
    return replace(comparison, models=tuple(_with_row(model) for model in comparison.models))


def _with_row(model: ModelComparison) -> ModelComparison:
    return replace(model, rows=(*model.rows, replace(remote_row(Path(model.version)), model=model.model)))


def is_of_remote(row: Row) -> bool:
    return row.group is Group.LOCATION and row.subject == PUSHED


def remote_row(version: Path, revision: str | None = None) -> Row:
    """Whether the remote has every file of a version.

    Args:
        version: its directory, relative to the working directory where it lies below.
        revision: what git tracks in it is asked for; default: in the workspace, whose files must then be those that are tracked.
    """
    need("dvc", "the policy `pushed`")
    try:
        tracked, lacking = _ask(Path(os.path.relpath(version)), revision)
    except UnreadableRecordError as error:
        return row_of(Group.LOCATION, PUSHED, Outcome.UNCHECKED, detail=str(error))
    except Exception as error:  # of DVC and of every kind of remote
        detail = f"the remote cannot be asked: {one_line(error_line(error), 300)}"
        return row_of(Group.LOCATION, PUSHED, Outcome.UNCHECKED, detail=detail)
    others = [] if revision else sorted(_others(version, tracked))
    if others:
        detail = f"DVC tracks other bytes than lie there: {others[0]} ({len(others)} in all)"
        return row_of(Group.LOCATION, PUSHED, Outcome.CHANGED, detail=detail)
    if lacking:
        detail = f"trained, not pushed: the remote lacks {len(lacking)} of {len(tracked)} objects ({sorted(lacking)[0]})"
        return row_of(Group.LOCATION, PUSHED, Outcome.MISSING, detail=detail)
    return row_of(Group.LOCATION, PUSHED, Outcome.SAME, seen=f"{len(tracked)} objects are in the remote")


def _ask(version: Path, revision: str | None) -> tuple[dict[str, str], list[str]]:
    """MD5 of what DVC tracks of a version by path relative to it ("" is the folder), and which of it the remote lacks.

    Raises:
        UnreadableRecordError: DVC tracks nothing of it, or keeps it from the remote.
    """
    from dvc.exceptions import NoOutputOrStageError, OutputNotFoundError
    from dvc.repo import Repo

    tracked: dict[str, str] = {}
    lacking: list[str] = []
    with Repo() as repo:
        for _ in repo.brancher(revs=[revision], workspace=False) if revision else ("workspace",):
            try:
                used = repo.index.used_objs([str(version)], push=True, force=True)
            except (NoOutputOrStageError, OutputNotFoundError):
                raise UnreadableRecordError(f"DVC does not track {version}") from None
            for store, objects in used.items():
                here = dict(_by_path(version, objects))
                # The store of an output with a remote of its own comes with one for DVC 2's objects, which is empty.
                if here:
                    remote = store or repo.cloud.get_remote_odb(command="status --cloud")
                    kept = set(remote.oids_exist(list(here.values())))
                    lacking += [path or "the list of its files" for path, digest in here.items() if digest not in kept]
                tracked |= here
    if not tracked:
        raise UnreadableRecordError(f"DVC has no list of the files of {version} (never committed, or `push: false`)")
    return tracked, lacking


def _by_path(version: Path, objects: Any) -> Iterator[tuple[str, str]]:
    for one in objects:
        if one.name != "md5":
            raise UnreadableRecordError(f"DVC tracks {version} as DVC 2 did: `dvc cache migrate --dvc-files`")
        path = Path(os.path.relpath(one.obj_name, version)).as_posix()
        yield "" if path == "." else path, str(one.value)


def _others(version: Path, tracked: dict[str, str]) -> set[str]:
    """The files of which DVC tracks other bytes than lie there."""
    if version.is_file():
        return set() if tracked.get("") == md5_file(version) else {version.name}
    now = md5_files(version)
    return {path for path in {*now, *tracked} - {""} if now.get(path) != tracked.get(path)}
