"""The server of the local engine: `python -P -m reloadgate.engine.server CHILDREN`.

Its protocol is in `reloadgate.engine`. Each job runs in a process of its own, forked from a fork server that has imported
TensorFlow and Keras; no TensorFlow operation ever runs in that fork server. One child that crashes is one job that failed.
"""

import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import wait
from typing import Any

from reloadgate.engine.child import run

PRELOADED = ["tensorflow", "keras", "h5py", "reloadgate.live.fresh"]
READ = 1 << 16


class Running:
    """A child at work."""

    def __init__(self, number: int, job: dict[str, Any], context: Any) -> None:
        self.number = number
        self.started = time.monotonic()
        self.deadline = self.started + job["time_limit"]
        self.timed_out = False
        self.process = context.Process(target=run, args=(job,))
        self.process.start()

    def end(self) -> dict[str, Any]:
        self.process.join()
        return {
            "number": self.number,
            "exit_code": self.process.exitcode,
            "timed_out": self.timed_out,
            "seconds": time.monotonic() - self.started,
        }


def main(children: int) -> None:
    answers = os.fdopen(os.dup(1), "w")  # dup makes it not inheritable: children never hold the pipe
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    context = _context()
    waiting: list[dict[str, Any]] = []
    running: list[Running] = []
    pending = b""
    while True:
        while waiting and len(running) < children:
            task = waiting.pop(0)
            running.append(Running(task["number"], task["job"], context))
        patience = min((one.deadline for one in running), default=None)
        ready = wait(
            [0, *(one.process.sentinel for one in running)],
            None if patience is None else max(0.0, patience - time.monotonic()),
        )
        for one in [one for one in running if one.process.sentinel in ready]:
            running.remove(one)
            print(json.dumps(one.end()), file=answers, flush=True)
        for one in running:
            if time.monotonic() > one.deadline:
                one.timed_out = True
                one.process.kill()
        if 0 in ready:
            data = os.read(0, READ)
            if not data:
                for one in running:
                    one.process.kill()
                    one.process.join()
                return
            *lines, pending = (pending + data).split(b"\n")
            waiting.extend(json.loads(line) for line in lines)


def _context() -> Any:
    """Fork server with everything slow preloaded; a fresh interpreter a child where there is no fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


if __name__ == "__main__":
    main(int(sys.argv[1]))
