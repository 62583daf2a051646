"""`reload`: every artifact of every version in a fresh process. A model that does not load is a result."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from reloadgate.arrays import ArrayWriter
from reloadgate.engine import End, Job
from reloadgate.engine.child import LOG
from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Artifact,
    ReloadedEvidence,
    SavedEvidence,
    read_saved,
    read_seal,
    write_evidence,
)
from reloadgate.files import sha256_file
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.project import Subject, artifacts_of, folder_of
from reloadgate.text import one_line


class Engine(Protocol):
    """Where reloads run."""

    def run(self, jobs: Iterable[Job]) -> Iterator[End]: ...


EngineFor = Callable[[Iterable[str]], AbstractContextManager[Engine]]
"""An engine for versions whose hash seeds were these."""


def reload(subjects: Sequence[Subject], out: Path, engine_for: EngineFor) -> None:
    """Reload every artifact of every subject; the evidence goes to `out/<name>/<artifact>/`.

    Raises:
        UsageError: a version's directory is missing.
        EngineError: the engine broke.
    """
    jobs, seeds = [], []
    for subject in subjects:
        if not subject.directory.exists():
            raise UsageError(f"{subject.path} is missing: pull it (`dvc pull`), or train it (`dvc repro train@{subject.name}`)")
        saved = _saved(subject.directory)
        seeds += [saved.hash_seed] if saved else []
        jobs += [_job(subject, artifact, out) for artifact in artifacts_of(subject.directory, saved)]
    with engine_for(seeds) as engine:
        for end in engine.run(jobs):
            if end.exit_code != 0 or end.timed_out:
                _write_crash(end)


def _job(subject: Subject, artifact: Artifact, out: Path) -> Job:
    version = subject.directory if subject.directory.is_dir() else subject.directory.parent
    return Job(
        version=str(version.absolute()),
        artifact=artifact,
        out=str(folder_of(out, subject.name, artifact).absolute()),
    )


def _saved(version: Path) -> SavedEvidence | None:
    try:
        return read_saved(version / EVIDENCE_DIR)[0]
    except UnreadableRecordError:
        return None


def _write_crash(end: End) -> None:
    """The evidence of a child that could not write its own: its end, and the last of what it printed."""
    out, version = Path(end.job.out), Path(end.job.version)
    log = out / LOG
    last = log.read_text(errors="replace").strip()[-600:] if log.exists() else ""
    try:
        seal = read_seal(version / EVIDENCE_DIR)[0].sha256
    except UnreadableRecordError:
        seal = None
    ArrayWriter().write(out / "arrays.npz")
    write_evidence(
        out,
        ReloadedEvidence(
            schema_version=SCHEMA_VERSION,
            artifact=end.job.artifact,
            saved_sha256=seal,
            files=(),
            loaded=False,
            error=one_line(f"the reloading process broke: {end.reason}. {last}"),
            warnings=(),
            checks=(),
            environment=None,
            hash_seed="",
            stored_config=None,
            stored_variables=None,
            observation=None,
            seconds=round(end.seconds, 3),
            arrays_sha256=sha256_file(out / "arrays.npz")[0],
        ),
    )
