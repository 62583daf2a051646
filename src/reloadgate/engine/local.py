"""The local engine: the caller's side of the server."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from reloadgate.engine.jobs import End, Job, ignore
from reloadgate.engine.machine import cores
from reloadgate.errors import EngineError
from reloadgate.extras import need
from reloadgate.files import remove_abandoned, scratch
from reloadgate.nouns import to_dict
from reloadgate.surroundings import fresh
from reloadgate.text import one_line

Event = dict[str, Any] | None
"""What the server says of a job; None: the server has ended."""


class LocalEngine:
    """Fresh processes on this machine's cores. A context manager; children and server end with it.

    `run` may be called by several threads at once.

    Args:
        recorded_hash_seeds: see `reloadgate.surroundings.fresh`.
        children: how many run at once; default: one a core, fewer where memory is short.
        fork: fork every child from a server that has imported TensorFlow; default: where the platform can.
        python: the interpreter of the reloading processes; default: the caller's.
        variables: environment variables of the reloading processes over the fresh ones.
        caller: the environment variables that the fresh ones are taken from; default: this process' own.

    Raises:
        UsageError: TensorFlow is not installed.
        EngineError: the server could not be started, or ended.
    """

    def __init__(
        self,
        recorded_hash_seeds: Iterable[str] = (),
        children: int | None = None,
        *,
        fork: bool = hasattr(os, "fork"),
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
        caller: Mapping[str, str] = os.environ,
    ) -> None:
        self._environment = fresh(caller, recorded_hash_seeds) | dict(variables or {})
        self._command = [python, "-P", "-m", "reloadgate.engine.server", str(children or cores()), "fork" if fork else "fresh"]
        self._server: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._home = contextlib.ExitStack()
        self._events: dict[int, queue.SimpleQueue[Event]] = {}
        self._last = 0
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> "LocalEngine":
        if self._command[0] == sys.executable:  # another interpreter is asked before (`other`)
            need("tensorflow", "a reload")
        self._said = tempfile.TemporaryFile()
        remove_abandoned()
        home = self._home.enter_context(scratch("home"))
        try:
            self._server = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                env=self._environment | {"HOME": str(home)},
                cwd="/" if os.name == "posix" else None,
                start_new_session=True,  # Ctrl-C reaches the caller alone, which then ends the server
            )  # fmt: skip
        except OSError as error:
            self._said.close()
            self._home.close()
            raise EngineError(f"the reloading server could not be started: {error}") from None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        server, self._server = self._server, None
        if server is None or server.stdin is None or server.stdout is None or self._reader is None or self._said is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            server.stdin.close()
        server.wait()
        self._reader.join()
        server.stdout.close()
        self._said.close()
        self._home.close()
        remove_abandoned()  # the server of a killed run goes on importing for seconds, into a home that was removed at our start

    def run(self, jobs: Iterable[Job], started: Callable[[Job], None] = ignore) -> Iterator[End]:
        """See `reloadgate.engine.jobs.Engine`."""
        mine: queue.SimpleQueue[Event] = queue.SimpleQueue()
        waiting = {self._submit(job, mine): job for job in jobs}
        try:
            while waiting:
                event = mine.get()
                if event is None:
                    raise EngineError(f"the reloading server ended. {self._last_words()}")
                number = event.pop("number")
                if event:
                    yield End(job=waiting.pop(number), **event)
                else:
                    started(waiting[number])
        finally:
            for number in waiting:
                self._events.pop(number, None)

    def _submit(self, job: Job, events: "queue.SimpleQueue[Event]") -> int:
        server = self._server
        if server is None or server.stdin is None:
            raise EngineError("the engine is not running: use it as a context manager")
        Path(job.out).mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._last += 1
            number, self._events[self._last] = self._last, events
            line = json.dumps({"number": number, "job": to_dict(job), "memory": job.memory}).encode() + b"\n"
            try:
                server.stdin.write(line)
                server.stdin.flush()
            except BrokenPipeError:
                raise EngineError(f"the reloading server ended. {self._last_words()}") from None
        return number

    def _read(self) -> None:
        """Hand every event to the run that waits for it; a thread of its own."""
        assert self._server is not None
        assert self._server.stdout is not None
        for line in self._server.stdout:
            event = json.loads(line)
            ended = len(event) > 1
            events = self._events.pop(event["number"], None) if ended else self._events.get(event["number"])
            if events is not None:
                events.put(event)
        with self._lock:
            for events in self._events.values():
                events.put(None)

    def _last_words(self) -> str:
        if self._said is None:
            return ""
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip()[-400:]
        return one_line(last) or "The machine may be out of memory"
