"""`verify`: reload, compare and judge in one call. The gate as a function: the verdict is data."""

import contextlib
import difflib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.comparison import Comparison, ModelComparison
from reloadgate.engine import Engine, EngineFor, EngineSettings, engine_for
from reloadgate.errors import UsageError
from reloadgate.evidence import EVIDENCE_DIR
from reloadgate.files import scratch
from reloadgate.formats import found_in
from reloadgate.inspection import Limits
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.policy import OwnLoader, Policy
from reloadgate.progress import Watch
from reloadgate.project import Subject, VersionRecord, demand_readable, limits_above
from reloadgate.reload import ANY_ARTIFACT, NOBODY, reload
from reloadgate.remote import with_remote
from reloadgate.suites import with_suites
from reloadgate.verdict import Verdict

LOCAL = EngineSettings()


def verify(version: str | os.PathLike[str], *, policy: Policy | None = None, engine: Engine | None = None) -> Verdict:
    """Reload a model version in a fresh process and judge whether it is the model that was saved.

    What its artifacts may be says the section `inspect` of the nearest `params.yaml` above it.

    Args:
        version: `models/<name>/<version>`, or a bare artifact.
        policy: what is good enough; default: the same bits in the same environment.
        engine: a running engine to reload in; default: one for this call.

    Raises:
        UsageError: there is nothing at that path, or that section is mistyped.
        EngineError: the reloading processes could not be started or kept.
    """
    return verify_all([subject_of(Path(version))], policy or Policy(), engine, inspecting=limits_above(Path(version)))[1]


def verify_all(
    subjects: Sequence[Subject],
    policy: Policy,
    engine: Engine | None = None,
    records: dict[str, VersionRecord] | None = None,
    evidence: Path | None = None,
    *,
    settings: EngineSettings = LOCAL,
    inspecting: Limits = ANY_ARTIFACT,
    watch: Watch = NOBODY,
) -> tuple[Comparison, Verdict]:
    """`verify` for many versions in one engine.

    Args:
        evidence: the folder in which the reloaded evidence stays, for the report; default: it is deleted.
        settings: which engine to start where none is given, and the limits of its processes.
        inspecting: what the artifacts may be.
        watch: is told what waits, runs, has ended and was judged.
    """
    if evidence:
        shutil.rmtree(evidence, ignore_errors=True)
    start: EngineFor = (lambda seeds: contextlib.nullcontext(engine)) if engine else engine_for(settings)
    compared: dict[str, ModelComparison] = {}
    with contextlib.nullcontext(evidence) if evidence else scratch("verify") as folder:
        strict = policy.own_loader == OwnLoader.STRICT
        for subject in reload(subjects, folder, start, settings.limits, watch, strict=strict, inspecting=inspecting):
            found = with_suites(with_remote(compare([subject], folder, records), policy), policy)
            compared[subject.name] = found.models[0]
            watch.judged(subject.name, judge(found, policy).status)
    comparison = Comparison(schema_version=SCHEMA_VERSION, models=tuple(compared[subject.name] for subject in subjects))
    return comparison, judge(comparison, policy)


def subject_of(path: Path, names: Iterable[str] = ()) -> Subject:
    """A version by its path; its name is the path.

    Args:
        names: of the models that go by a name, one of which may be meant.

    Raises:
        UsageError: there is nothing at that path, or no version but below it.
    """
    meant = [] if os.path.lexists(path) else difflib.get_close_matches(str(path), names, n=1)
    if not meant:
        demand_readable(path)
        if path.is_dir() and not (path / EVIDENCE_DIR).exists() and not found_in(path):
            meant = [evidence.parent.as_posix() for evidence in sorted(path.glob(f"*/{EVIDENCE_DIR}"))]
    if meant:
        raise UsageError(f"{path} is no model version; did you mean {' or '.join(meant[-3:])}?")
    return Subject(name=path.as_posix(), path=str(path))
