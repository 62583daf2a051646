"""Where reloads run: fresh processes on this machine.

Three kinds of process:

- the caller (`LocalEngine`), which imports no TensorFlow;
- one server (`reloadgate.engine.server`), started with an environment of its own and from a module of ours, so that
  multiprocessing never imports the caller's `__main__`; it supervises
- one child an artifact, forked from a fork server that has imported TensorFlow and Keras and run nothing.

The caller writes a job a line (JSON) to the server's standard input and reads an end a line from its standard output. When
the caller dies, its pipe closes, and the server kills its children and ends.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from reloadgate.errors import EngineError
from reloadgate.evidence import Artifact
from reloadgate.nouns import noun, to_dict
from reloadgate.surroundings import fresh

TIME_LIMIT = 600.0
"""Seconds of wall time after which a child is killed."""


@noun
class Job:
    """Reload one artifact: everything that a child is told."""

    version: str
    """Absolute path of the model version."""
    artifact: Artifact
    out: str
    """Absolute path of the folder that takes the reloaded evidence and the child's log."""
    time_limit: float = TIME_LIMIT


@noun
class End:
    """How a child ended. Exit code 0 means that it wrote its evidence."""

    job: Job
    exit_code: int
    timed_out: bool
    seconds: float

    @property
    def reason(self) -> str:
        if self.timed_out:
            return f"it was stopped after {self.job.time_limit:.0f} s"
        return f"it was killed by signal {-self.exit_code}" if self.exit_code < 0 else f"it ended with {self.exit_code}"


class LocalEngine:
    """Fresh processes on this machine's cores. A context manager; children and server end with it.

    Args:
        recorded_hash_seeds: see `reloadgate.surroundings.fresh`.
        children: how many run at once; default: one a core.

    Raises:
        EngineError: the server could not be started, or ended.
    """

    def __init__(self, recorded_hash_seeds: Iterable[str] = (), children: int | None = None) -> None:
        self._environment = fresh(os.environ, recorded_hash_seeds)
        self._children = children or os.cpu_count() or 1
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> "LocalEngine":
        command = [sys.executable, "-P", "-m", "reloadgate.engine.server", str(self._children)]
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=self._environment, cwd="/" if os.name == "posix" else None,
        )  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        server, self._server = self._server, None
        if server is not None and server.stdin is not None:
            server.stdin.close()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[End]:
        """Run jobs, each in a fresh child; their ends as they come, in no fixed order."""
        if self._server is None or self._server.stdin is None or self._server.stdout is None:
            raise EngineError("the engine is not running: use it as a context manager")
        waiting = {}
        for number, job in enumerate(jobs):
            waiting[number] = job
            Path(job.out).mkdir(parents=True, exist_ok=True)
            self._server.stdin.write(json.dumps({"number": number, "job": to_dict(job)}) + "\n")
        self._server.stdin.flush()
        while waiting:
            line = self._server.stdout.readline()
            if not line:
                raise EngineError("the reloading server ended; the machine may be out of memory")
            end = json.loads(line)
            yield End(job=waiting.pop(end.pop("number")), **end)
