"""The server of the local engine: `python -P -m reloadgate.engine.server CHILDREN fork|fresh`.

Its protocol is in `reloadgate.engine`: it reads `{"number", "job", "memory"}`, and writes `{"number"}` when a child begins
and `{"number", "exit_code", "stopped", "seconds"}` when it ended. Each job runs in a process of its own; one child that
crashes, hangs or takes too much is one job that failed. No TensorFlow operation ever runs in the fork server.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import Any

from reloadgate.engine.child import run
from reloadgate.engine.machine import available, resident, total
from reloadgate.files import scratch

PRELOADED = "reloadgate.engine.preload"
GLANCE = 0.25
"""Seconds between two looks at the memory of the children."""

Task = dict[str, Any]


class Running:
    """A child at work."""

    def __init__(self, task: Task, context: Any) -> None:
        self.number, self.memory, self.limits = task["number"], task["memory"], task["job"]["limits"]
        self.allowed = self.limits["memory_mib"] or total() * 9 // 10 >> 20
        self.scratch = contextlib.ExitStack()
        folder = self.scratch.enter_context(scratch("child"))
        self.stopped = ""
        self.started = time.monotonic()
        self.process = context.Process(target=run, args=(task["job"], str(folder)))
        self.process.start()

    def look(self, resident: int) -> None:
        """Kill it where it has used more than it may.

        Args:
            resident: bytes of memory that it and all that it started hold.
        """
        if time.monotonic() - self.started > self.limits["wall_seconds"]:
            self.stop(f"it was stopped after {self.limits['wall_seconds']:g} s")
        elif resident > self.allowed << 20:
            self.stop(f"it was stopped when it took more than {self.allowed} MiB of memory")

    def stop(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        self._kill_session()
        self.process.kill()

    def _kill_session(self) -> None:
        if hasattr(os, "killpg"):
            # It may have no session of its own yet, or have ended with all that it started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> dict[str, Any]:
        self._kill_session()  # what it started and left
        self.process.join()
        self.scratch.close()
        if self.process.exitcode == -getattr(signal, "SIGXCPU", 0):
            self.stopped = f"it was stopped after {self.limits['cpu_seconds']} s of processor time"
        return {
            "number": self.number,
            "exit_code": self.process.exitcode,
            "stopped": self.stopped,
            "seconds": time.monotonic() - self.started,
        }


def main(children: int, fork: bool) -> None:
    answers = os.fdopen(os.dup(1), "w")  # dup makes it not inheritable: children never hold the pipe
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    context = _context(fork)
    tasks = _tasks()
    waiting: deque[Task] = deque()
    running: list[Running] = []
    room = available()
    try:
        while True:
            while waiting and len(running) < children and _fits(waiting[0], running, room):
                running.append(Running(waiting.popleft(), context))
                print(json.dumps({"number": running[-1].number}), file=answers, flush=True)
            ready = wait([tasks, *(one.process.sentinel for one in running)], GLANCE if running else None)
            for one in [one for one in running if one.process.sentinel in ready]:
                running.remove(one)
                print(json.dumps(one.end()), file=answers, flush=True)
            held = resident([one.process.pid for one in running])
            for one in running:
                one.look(held[one.process.pid])
            if not running:
                room = available()
            if tasks in ready:
                waiting.append(json.loads(tasks.recv_bytes()))
    except (EOFError, BrokenPipeError):  # the caller has ended
        for one in running:
            one.stop("the caller ended")
        for one in running:
            one.end()


def _fits(task: Task, running: list[Running], room: int) -> bool:
    """Whether memory, as it was before any child ran, is enough for one more; one alone always runs."""
    return not running or task["memory"] + sum(one.memory for one in running) <= room


def _tasks() -> Connection:
    """The lines of standard input as something that can be waited for beside the children, on every platform."""
    reads, writes = multiprocessing.Pipe(duplex=False)

    def pump() -> None:
        for line in sys.stdin.buffer:
            writes.send_bytes(line)
        writes.close()

    threading.Thread(target=pump, daemon=True).start()
    return reads


def _context(fork: bool) -> Any:
    """A fork server with everything slow preloaded, which begins at once; or a fresh interpreter a child."""
    if not fork:
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    forkserver.ensure_running()
    return context


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "fork")
