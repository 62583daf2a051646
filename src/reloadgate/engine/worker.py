"""What a Dask worker does with one task: get the version, reload it in a fresh child, give the evidence back as bytes.

A worker keeps one local engine, whose server and children are processes of their own: Dask's worker processes are daemonic
and may not have children of multiprocessing.
"""

import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from reloadgate.engine.jobs import MEBIBYTE, End, Job
from reloadgate.engine.local import LocalEngine
from reloadgate.errors import EngineError, ReloadgateError
from reloadgate.files import digests, project_root, scratch, sha256_file
from reloadgate.nouns import digest, noun, to_dict
from reloadgate.revisions import Versions, check_out, git
from reloadgate.surroundings import bit_moving


@noun
class Origin:
    """Where a version comes from that a worker does not see: a git repository and the DVC remote that it names."""

    url: str
    revision: str
    path: str
    """Of the version, relative to the repository's root."""


@noun
class Task:
    """A job for a worker, and all that must be the same there as here."""

    job: Job
    files: dict[str, str]
    """SHA-256 of every file of the version, its evidence included."""
    code: dict[str, str]
    """SHA-256 of every module that git tracks, by path relative to the project's root."""
    origin: Origin | None
    reloadgate: str
    """Digest of this package."""
    hash_seeds: tuple[str, ...]
    variables: dict[str, str]
    """Environment variables that move the bits, as the caller has them: Dask sets some of its own."""


@noun
class Done:
    """How a task ended, and what the child left."""

    end: End
    files: dict[str, bytes]


_engines: dict[str, LocalEngine] = {}
_starting, _fetching = threading.Lock(), threading.Lock()


def package_digest() -> str:
    return digest(digests(Path(__file__).parents[1]))


def run(task: Task, began: str) -> Done:
    """Reload one artifact on this worker.

    Args:
        began: the topic under which the beginning is told.

    Raises:
        EngineError: the worker cannot reload anything; what concerns the one version is an `End`.
    """
    from distributed import get_worker

    worker, job = get_worker(), task.job
    allowed = worker.memory_manager.memory_limit
    if allowed and job.memory > allowed:
        return _stopped(
            job,
            f"it was not started: the model takes about {job.memory // MEBIBYTE} MiB of memory, and the worker "
            f"{worker.address} may use {allowed // MEBIBYTE}: start workers with a larger --memory-limit",
        )
    try:
        version = version_here(task, Path(worker.local_directory) / "reloadgate")
    except (ReloadgateError, OSError) as error:
        return _stopped(job, f"it was not started: the worker {worker.address} cannot get the version: {error}")
    limits = job.limits
    if allowed:
        limits = replace(limits, memory_mib=min(limits.memory_mib or allowed // MEBIBYTE, allowed // MEBIBYTE))
    with scratch("task") as out:
        here = replace(job, version=str(version), out=str(out), limits=limits)
        engine = _engine(task, worker.state.nthreads)
        try:
            (end,) = engine.run([here], lambda job: worker.log_event(began, task.job.out))
        except EngineError:
            _engines.clear()  # its server is gone: the next task starts another
            raise
        files = {path.name: path.read_bytes() for path in out.iterdir()}
    return Done(end=replace(end, job=job), files=files)


def version_here(task: Task, place: Path) -> Path:
    """The version on this machine: at the caller's path where the same files lie there, else from git and DVC into `place`.

    Raises:
        EngineError: the same files are in neither.
    """
    shared = Path(task.job.version)
    if shared.is_dir() and digests(shared) == task.files and _same_code(project_root(shared), task.code):
        return shared
    if task.origin is None:
        raise EngineError(
            f"{shared} does not hold the same files and code here, and the caller has no commit of its own in a git remote: "
            "share the folder, or commit and push code and dvc.lock, and `dvc push`"
        )
    root = place / digest(to_dict(task.origin))
    version = root / task.origin.path
    with _fetching:
        if not root.exists():
            _fetch(task.origin, root)
    if digests(version) != task.files or not _same_code(root, task.code):
        where = f"{task.origin.path} of {task.origin.url} at {task.origin.revision[:10]}"
        raise EngineError(f"{where} is not what the caller has: commit and push code and dvc.lock, and `dvc push`")
    return version


def _fetch(origin: Origin, root: Path) -> None:
    """A project with one version in it, whole or not at all: what broke in the middle is fetched anew by the next task."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=root.parent) as folder:
        clone, tree = Path(folder) / "clone", Path(folder) / "tree"
        git(Path(folder), "clone", "--quiet", "--no-checkout", "--", origin.url, str(clone))
        check_out(clone, origin.revision, tree)
        Versions(clone, origin.revision).fetch(origin.path, tree)
        tree.rename(root)


def _same_code(root: Path | None, code: dict[str, str]) -> bool:
    return not code or (
        root is not None
        and all((root / path).is_file() and sha256_file(root / path)[0] == sha256 for path, sha256 in code.items())
    )


def _engine(task: Task, children: int) -> LocalEngine:
    """The worker's engine for these hash seeds, started once; it ends when the worker does, however that ends."""
    with _starting:
        key = digest([task.hash_seeds, task.variables])
        if key not in _engines:
            own = bit_moving(os.environ)
            caller = {name: value for name, value in os.environ.items() if name not in own or name == "CUDA_VISIBLE_DEVICES"}
            _engines[key] = LocalEngine(task.hash_seeds, children, caller=caller | task.variables).__enter__()
        return _engines[key]


def _stopped(job: Job, reason: str) -> Done:
    return Done(end=End(job=job, exit_code=1, stopped=reason, seconds=0.0), files={})
