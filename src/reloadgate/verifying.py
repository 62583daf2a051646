"""`verify`: reload, compare and judge in one call. The gate as a function: the verdict is data."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.comparison import Comparison
from reloadgate.engine import LocalEngine
from reloadgate.errors import UsageError
from reloadgate.judge import judge
from reloadgate.policy import Policy
from reloadgate.project import Subject, VersionRecord
from reloadgate.reload import Engine, reload
from reloadgate.verdict import Verdict


def verify(version: str | os.PathLike[str], *, policy: Policy | None = None, engine: Engine | None = None) -> Verdict:
    """Reload a model version in a fresh process and judge whether it is the model that was saved.

    Args:
        version: `models/<name>/<version>`, or a bare artifact.
        policy: what is good enough; default: the same bits in the same environment.
        engine: a running engine to reload in; default: one for this call.

    Raises:
        UsageError: there is nothing at that path.
        EngineError: the reloading processes could not be started or kept.
    """
    return verify_all([subject_of(Path(version))], policy or Policy(), engine)[1]


def verify_all(
    subjects: Sequence[Subject],
    policy: Policy,
    engine: Engine | None = None,
    records: dict[str, VersionRecord] | None = None,
    evidence: Path | None = None,
) -> tuple[Comparison, Verdict]:
    """`verify` for many versions in one engine.

    Args:
        evidence: the folder in which the reloaded evidence stays, for the report; default: it is deleted.
    """
    if evidence:
        shutil.rmtree(evidence, ignore_errors=True)
    with contextlib.nullcontext(evidence) if evidence else tempfile.TemporaryDirectory(prefix="reloadgate-verify-") as folder:
        reload(subjects, Path(folder), lambda seeds: contextlib.nullcontext(engine) if engine else LocalEngine(seeds))
        comparison = compare(subjects, Path(folder), records)
    return comparison, judge(comparison, policy)


def subject_of(path: Path) -> Subject:
    """A version by its path; its name is the path.

    Raises:
        UsageError: there is nothing at that path.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist: name a model version (models/<name>/<version>) or an artifact")
    return Subject(name=path.as_posix(), path=str(path))
