"""`reload`: every artifact of every version in a fresh process. A model that does not load is a result."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from reloadgate.arrays import ArrayWriter
from reloadgate.engine import End, EngineFor, Job, Limits
from reloadgate.engine.child import LOG
from reloadgate.engine.footprint import FOOTPRINT
from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Artifact,
    Check,
    Depth,
    Group,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    read_saved,
    read_sealed,
    write_evidence,
)
from reloadgate.files import regular_files, sha256_file
from reloadgate.inspection import Limits as InspectionLimits
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.progress import Watch
from reloadgate.project import Subject, artifacts_of, demand_readable, folder_of
from reloadgate.reuse import Store
from reloadgate.text import one_line

NO_LIMITS = Limits()
ANY_ARTIFACT = InspectionLimits()
NOBODY = Watch()


def reload(
    subjects: Sequence[Subject],
    out: Path,
    engine_for: EngineFor,
    limits: Limits = NO_LIMITS,
    watch: Watch = NOBODY,
    store: Store | None = None,
    strict: bool = False,
    inspecting: InspectionLimits = ANY_ARTIFACT,
    depth: Depth = Depth.AGAIN,
) -> Iterator[Subject]:
    """Reload every artifact of every subject; the evidence goes to `out/<name>/<artifact>/`.

    Args:
        limits: of every reloading process.
        watch: is told what waits, runs and has ended.
        depth: how far to look.
        store: evidence of earlier reloads, used again where everything is the same; default: everything is reloaded.
        strict: keep what inspection refuses from users' own loaders too.
        inspecting: what the artifacts may be.

    Yields:
        Each subject once all its artifacts were reloaded, in no fixed order.

    Raises:
        UsageError: a version's directory is missing.
        EngineError: the engine broke.
    """
    jobs: dict[str, tuple[Subject, Job]] = {}
    seeds = []
    for subject in subjects:
        if not subject.directory.exists():
            raise UsageError(f"{subject.path} is missing: train it, or take it back from where it is kept (with DVC: `dvc pull`)")
        demand_readable(subject.directory)
        saved = _saved(subject.directory)
        seeds += [saved.hash_seed] if saved else []
        for artifact in artifacts_of(subject.directory, saved):
            job = _job(subject, artifact, out, limits, strict, inspecting, depth)
            jobs[job.out] = (subject, job)
    names = {key: f"{subject.name} {job.artifact.path}" for key, (subject, job) in jobs.items()}
    if store:
        for key in [key for key, (_, job) in jobs.items() if store.find(job)]:
            del jobs[key]
            watch.reused(names.pop(key))
    left = Counter(subject.name for subject, _ in jobs.values())
    yield from (subject for subject in subjects if not left[subject.name])
    watch.waiting(names)
    if not jobs:
        return
    with engine_for(seeds) as engine:
        for end in engine.run([job for _, job in jobs.values()], lambda job: watch.started(job.out)):
            # A module of the user's may end the process as if all had gone well.
            broke = end.exit_code != 0 or end.stopped != "" or not (Path(end.job.out) / "evidence.json").is_file()
            if broke:
                _write_crash(end)
            watch.ended(end.job.out, end.reason if broke else "")
            if store:
                store.keep(end.job)
            (Path(end.job.out) / FOOTPRINT).unlink(missing_ok=True)
            subject = jobs[end.job.out][0]
            left[subject.name] -= 1
            if not left[subject.name]:
                yield subject


def _job(
    subject: Subject, artifact: Artifact, out: Path, limits: Limits, strict: bool, inspecting: InspectionLimits, depth: Depth
) -> Job:
    version = subject.directory if subject.directory.is_dir() else subject.directory.parent
    return Job(
        version=str(version.absolute()),
        artifact=artifact,
        out=str(folder_of(out, subject.name, artifact).absolute()),
        size=_size(version / artifact.path),
        limits=limits,
        strict=strict,
        inspecting=inspecting,
        depth=depth,
    )


def _size(path: Path) -> int:
    """Bytes of an artifact, as far as they can be told: the child finds what is wrong with its files."""
    if path.is_dir():
        return sum(_size(path / name) for name in regular_files(path, leave_out=EVIDENCE_DIR))
    return path.stat().st_size if path.is_file() else 0


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
        seal = read_sealed(SavedEvidence, version / EVIDENCE_DIR).sha256
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
            checks=(Check(group=Group.INTEGRITY, subject="", tried=Tried.UNCHECKED, message="the process told of no file"),),
            environment=None,
            hash_seed="",
            stored_config=None,
            stored_variables=None,
            observation=None,
            seconds=round(end.seconds, 3),
            arrays_sha256=sha256_file(out / "arrays.npz")[0],
        ),
    )
