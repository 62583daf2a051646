"""`history`: what became of every model from commit to commit, read from git and DVC without checking anything out.

Verdict, drift and sizes are those of `reports/metrics.json` as each commit has it. Churn is the share of decisions on the probe
that changed against the version before: information, because a model that is trained again may decide otherwise.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reloadgate.drift import output_drift
from reloadgate.errors import ReloadgateError, UnreadableRecordError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, SavedEvidence, read_saved
from reloadgate.extras import need
from reloadgate.files import scratch
from reloadgate.nouns import from_dict, noun
from reloadgate.project import RECORDS, VersionRecord
from reloadgate.report import METRICS
from reloadgate.revisions import git

FIRST_VERSION = "there is no version before"


@noun
class Entry:
    """One model at one commit."""

    commit: str
    when: str
    """Date of the commit."""
    subject: str
    model: str
    """ "" where the commit has no model's metrics, because the checking had broken."""
    version: str
    status: str
    drift_digits: float | None
    """−log10 of the largest difference of predictions; 99 for the same bits."""
    resumed_loss_digits: float | None
    bytes: int | None
    reload_seconds: float | None
    evidence_sha256: str | None
    churn: float | None
    """Share of the decisions that changed against the version before; None where it cannot be told."""
    churn_reason: str
    """Why churn cannot be told; "" where it can."""


def history(names: Sequence[str] = (), limit: int = 20, reports: Path = Path("reports")) -> list[Entry]:
    """The last commits that changed metrics or records, newest first, an entry a model.

    Raises:
        UsageError: this is no git repository, or no commit has metrics.
    """
    paths = (reports / METRICS).as_posix(), RECORDS.as_posix()
    log = git(Path(), "log", f"-n{limit + 1}", "--format=%H%x00%cs%x00%s", "--", *paths).decode(errors="replace")
    commits = [line.split("\0", 2) for line in log.split("\n") if line]
    entries = [entry for commit, when, subject in commits[:limit] for entry in _entries(commit, when, subject, reports)]
    if not entries:
        raise UsageError(f"no commit has {reports / METRICS}: run `dvc repro`, and commit what it left")
    known = {entry.model for entry in entries}
    for name in names:
        if name not in known:
            raise UsageError(f"no commit has metrics of a model {name!r}; there are {', '.join(sorted(known - {''}))}")
    wanted = [entry for entry in entries if not names or entry.model in (*names, "")]
    return _with_churn(wanted, _unseen(len(commits) > limit))


def above(entries: Sequence[Entry], limit: float) -> list[str]:
    """The models whose newest version changed more of the decisions than the limit allows, or whose churn cannot be told.

    A model that has no version before, in a history that was seen to its end, has nothing to change.
    """
    newest = {entry.model: entry for entry in reversed(entries) if entry.model}
    return [
        f"{name} ({entry.churn_reason})" if entry.churn is None else f"{name} ({entry.churn:.1%})"
        for name, entry in sorted(newest.items())
        if (entry.churn is None and entry.churn_reason != FIRST_VERSION) or (entry.churn or 0) > limit
    ]


def _entries(commit: str, when: str, subject: str, reports: Path) -> Iterator[Entry]:
    try:
        metrics = json.loads(_shown(commit, reports / METRICS))
        models = _mapping(metrics["models"]) or {"": {"status": metrics["status"]}}
    except (ReloadgateError, ValueError, KeyError, TypeError):
        models = {"": {"status": "ERROR"}}
    for model, found in models.items():
        figures, record = _mapping(found), _record(commit, model) if model else None
        yield Entry(
            commit=commit, when=when, subject=subject, model=model, version=record.path if record else "",
            status=str(figures.get("status", "ERROR")),
            drift_digits=_number(_mapping(figures.get("drift")), "max_abs_digits"),
            resumed_loss_digits=_number(figures, "resumed_loss_digits"), bytes=_number(figures, "bytes"),
            reload_seconds=_number(figures, "reload_seconds"), evidence_sha256=record.evidence_sha256 if record else None,
            churn=None, churn_reason="",
        )  # fmt: skip


def _record(commit: str, model: str) -> VersionRecord | None:
    path = RECORDS / f"{model}.json"
    try:
        return from_dict(VersionRecord, json.loads(_shown(commit, path)), str(path))
    except (ReloadgateError, ValueError):
        return None


def _mapping(found: Any) -> dict[str, Any]:
    """What metrics have at a place where ours have a mapping; nothing, where they are somebody else's."""
    return found if isinstance(found, dict) else {}


def _number(figures: dict[str, Any], name: str) -> Any:
    found = figures.get(name)
    return found if isinstance(found, (int, float)) else None


def _shown(commit: str, path: Path) -> bytes:
    """A file as a commit has it; `./` makes the path one of the working directory's."""
    return git(Path(), "show", f"{commit}:./{path.as_posix()}")


# Churn


def _unseen(more: bool) -> str:
    """Where versions may lie before the oldest that was seen; "" where there are none."""
    if more:
        return "its earlier versions are beyond --limit"
    shallow = git(Path(), "rev-parse", "--is-shallow-repository").strip() == b"true"
    return "its earlier versions are not in this shallow clone; `git fetch --unshallow` fetches them" if shallow else ""


def _with_churn(entries: list[Entry], unseen: str) -> list[Entry]:
    """Every entry against the first older one of the same model that has other evidence."""
    seen: dict[str, SavedEvidence | str] = {}
    result = []
    with scratch("history") as folder:
        for number, entry in enumerate(entries):
            older = (e for e in entries[number + 1 :] if e.model == entry.model)
            before = next((e for e in older if e.evidence_sha256 not in (None, entry.evidence_sha256)), None)
            if entry.evidence_sha256 is None or before is None:
                reason = (unseen or FIRST_VERSION) if entry.evidence_sha256 else "no version was recorded"
                result.append(replace(entry, churn_reason=reason))
            else:
                try:
                    result.append(replace(entry, churn=_churn(*(_fetched(e, Path(folder), seen) for e in (before, entry)))))
                except ReloadgateError as error:
                    result.append(replace(entry, churn_reason=str(error)))
    return result


def _fetched(entry: Entry, folder: Path, seen: dict[str, Any]) -> Any:
    """The saved evidence of an entry and its arrays, out of DVC's cache or remote.

    Raises:
        ReloadgateError: it cannot be had.
    """
    key = str(entry.evidence_sha256)
    if key not in seen:
        need("dvc", "churn")
        try:
            from dvc.api import DVCFileSystem

            # DVC's paths begin at the repository's root, below which the working directory may lie.
            place = f"/{os.fsdecode(git(Path(), 'rev-parse', '--show-prefix')).strip()}{entry.version}/{EVIDENCE_DIR}"
            DVCFileSystem(".", rev=entry.commit).get(place, str(folder / key), recursive=True)
            seen[key] = read_saved(folder / key)
        except UnreadableRecordError as error:
            seen[key] = error
        except Exception as error:  # DVC has dozens of its own, of every remote
            seen[key] = UsageError(f"{entry.version} at {entry.commit[:9]} is not in DVC's cache nor its remote: {error}")
    if isinstance(seen[key], ReloadgateError):
        raise seen[key]
    return seen[key]


def _churn(before: Any, after: Any) -> float:
    outputs, reason = output_drift(before, after)
    if reason:
        raise UsageError(reason)
    return sum(output.changed for output in outputs) / sum(output.decisions for output in outputs)
