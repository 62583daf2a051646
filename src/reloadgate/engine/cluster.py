"""Reloads on a Dask cluster that is there already: the same jobs, one task each. `docs/dask.md` says how to start one."""

import os
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from reloadgate.engine.jobs import End, Job, ignore
from reloadgate.engine.worker import Done, Origin, Task, package_digest, run
from reloadgate.errors import EngineError, UsageError
from reloadgate.extras import need
from reloadgate.files import digests, project_root, sha256_file
from reloadgate.nouns import from_dict, to_dict
from reloadgate.revisions import git
from reloadgate.surroundings import bit_moving
from reloadgate.text import error_line

REACHED = 5.0
"""Seconds in which the scheduler must answer."""

STAFFED = 60.0
"""Seconds that tasks may wait while the cluster has no worker at all."""


GLANCE = 5.0
"""Seconds between two looks at whether there are any."""


class DaskEngine:
    """Fresh processes on the workers of a Dask cluster. A context manager; tasks that wait are taken back with it.

    Args:
        scheduler: its address, such as tcp://10.0.0.1:8786.
        recorded_hash_seeds: see `reloadgate.surroundings.fresh`.

    Raises:
        EngineError: the scheduler does not answer, or there are no workers.
        UsageError: Dask is not installed.
    """

    def __init__(self, scheduler: str, recorded_hash_seeds: Iterable[str] = ()) -> None:
        self._scheduler, self._seeds = scheduler, tuple(sorted(set(recorded_hash_seeds)))
        self._client: Any = None

    def __enter__(self) -> "DaskEngine":
        need("dask", "the engine dask")
        from distributed import Client

        try:
            self._client = Client(self._scheduler, timeout=REACHED, set_as_default=False)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"no Dask scheduler answers at {self._scheduler} ({error_line(error)}): start one with `dask scheduler`, "
                "and give the address that it prints"
            ) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()  # what waits has no other owner and is dropped

    def run(self, jobs: Iterable[Job], started: Callable[[Job], None] = ignore) -> Iterator[End]:
        """See `reloadgate.engine.jobs.Engine`."""
        if self._client is None:
            raise EngineError("the engine is not running: use it as a context manager")
        began = f"reloadgate-{uuid.uuid4().hex}"
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        waiting: dict[str, tuple[Any, Job]] = {}
        by_out: dict[str, Job] = {}
        self._client.subscribe_topic(began, lambda event: started(by_out[event[1]]))
        for task in self._tasks(jobs):
            by_out[task.job.out] = task.job
            # Dask runs it again where its worker dies; `retries` is for a worker whose own server died.
            future = self._client.submit(_run, to_dict(task), began, key=f"{began}-{len(waiting)}", pure=False, retries=1)
            waiting[future.key] = (future, task.job)
            future.add_done_callback(done.put)
        try:
            while waiting:
                future, job = waiting.pop(self._next(done).key)
                yield self._end(future, job)
        finally:
            self._client.unsubscribe_topic(began)
            self._client.cancel([future for future, _ in waiting.values()])

    def _next(self, done: "queue.SimpleQueue[Any]") -> Any:
        deserted = None
        while True:
            try:
                return done.get(timeout=min(GLANCE, STAFFED))
            except queue.Empty:
                now = time.monotonic()
                deserted = None if self._client.scheduler_info(n_workers=-1)["workers"] else deserted or now
                if deserted is not None and now - deserted >= STAFFED:
                    raise EngineError(
                        f"the cluster of {self._scheduler} has no worker: start some with `dask worker {self._scheduler}`"
                    ) from None

    def _end(self, future: Any, job: Job) -> End:
        from distributed import CancelledError, KilledWorker

        try:
            answer = future.result()
        except KilledWorker as error:
            return End(
                job=job, exit_code=1, stopped=f"every worker that reloaded it was killed: {error_line(error)}", seconds=0.0
            )
        except (CancelledError, OSError) as error:
            raise EngineError(f"the Dask scheduler {self._scheduler} is gone: {error_line(error)}") from None
        except ModuleNotFoundError as error:
            raise EngineError(f"a worker lacks {error.name}: install the same reloadgate there, with what it needs") from None
        out = Path(job.out)
        out.mkdir(parents=True, exist_ok=True)
        for name, content in answer["files"].items():
            (out / name).write_bytes(content)
        return from_dict(End, answer["end"])

    def _tasks(self, jobs: Iterable[Job]) -> Iterator[Task]:
        ours, variables = package_digest(), bit_moving(os.environ)
        files: dict[str, dict[str, str]] = {}
        projects: dict[Path | None, tuple[dict[str, str], Origin | None]] = {}
        for job in jobs:
            version = Path(job.version)
            root = project_root(version)
            if root not in projects:
                projects[root] = _project(root)
            if job.version not in files:
                files[job.version] = digests(version)
            code, origin = projects[root]
            if origin and root:
                origin = replace(origin, path=str(version.relative_to(root)))
            yield Task(
                job=job,
                files=files[job.version],
                code=code,
                origin=origin,
                reloadgate=ours,
                hash_seeds=self._seeds,
                variables=variables,
            )


def _project(root: Path | None) -> tuple[dict[str, str], Origin | None]:
    """The modules that git tracks in a project, and where its commit can be fetched from, if it can."""
    if root is None or not (root / ".git").exists():
        return {}, None
    try:
        tracked = git(root, "ls-files", "-z", "--", "*.py").decode().split("\0")
        code = {path: sha256_file(root / path)[0] for path in tracked if path and (root / path).is_file()}
        remote = git(root, "remote").decode().split()
        if not remote:
            return code, None
        url = git(root, "remote", "get-url", remote[0]).decode().strip()
        return code, Origin(url=url, revision=git(root, "rev-parse", "HEAD").decode().strip(), path=".")
    except UsageError:  # a repository without a commit
        return {}, None


def _run(task: dict[str, Any], began: str) -> dict[str, Any]:
    """A task in plain values: a worker must be able to read that it has another reloadgate, which may know other fields."""
    if task["reloadgate"] != package_digest():
        raise EngineError("a worker has another reloadgate than the caller: install the same there")
    done: Done = run(from_dict(Task, task), began)
    return {"end": to_dict(done.end), "files": done.files}
