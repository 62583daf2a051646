"""Two Dask workers against the local engine with two children, both warm."""

import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.measure import by_turns, small_versions, tell
from reloadgate.engine import DaskEngine, LocalEngine
from reloadgate.policy import policy_from
from reloadgate.project import Subject
from reloadgate.verifying import verify_all

COUNT = 16


def start(stack: ExitStack, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    stack.callback(process.terminate)
    return process


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = [Subject(name=f"m{n}", path=str(version)) for n, version in enumerate(small_versions(folder, COUNT))]
        scheduler = start(stack, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        assert scheduler.stderr
        address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://\S+:\d+", line)))
        for _ in range(2):
            start(stack, "worker", address, "--nthreads", "1", "--local-directory", str(folder))
        cluster, local = stack.enter_context(DaskEngine(address)), stack.enter_context(LocalEngine(children=2))
        policy = policy_from({"location": "any"})
        for engine in (cluster, local):
            verify_all(subjects[:4], policy, engine)
        there, here = by_turns(lambda: verify_all(subjects, policy, cluster), lambda: verify_all(subjects, policy, local))
        tell("two Dask workers / two local children", there / here, "≤ 1.15", f"{there:.1f} s / {here:.1f} s")


if __name__ == "__main__":
    main()
