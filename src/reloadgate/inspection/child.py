"""The process that parses: `python -I -m reloadgate.inspection.child`, one job a line (JSON) in, one answer a line out.

It imports the parsers once and forks for every job, so that each has limits of its own: memory, processor and wall time, and the
size of what it writes. A job that breaks them, or breaks a parser, is one artifact that is refused.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import Any

from reloadgate.errors import UnreadableRecordError
from reloadgate.files import scratch
from reloadgate.inspection.declared import declared_from
from reloadgate.inspection.found import Inspected, Report
from reloadgate.inspection.kinds import look
from reloadgate.inspection.limits import Limits
from reloadgate.nouns import from_dict, noun, to_dict

OPEN_FILES = 4096


@noun
class Job:
    path: str
    declared: tuple[str, ...]
    limits: Limits


def run(job: Job, meanwhile: Callable[[], None] = lambda: None) -> Inspected:
    """Inspect in a fork of this process, which must have one thread, and do something here meanwhile."""
    with scratch("inspect") as folder:
        reading, writing = os.pipe()
        handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a user's module may have nobody wait
        process = os.fork()
        if not process:
            try:
                os.close(reading)
                with os.fdopen(writing, "wb") as answer:
                    os.chdir(folder)
                    confine(job.limits)
                    answer.write(json.dumps(to_dict(look(Path(job.path), declared_from(job.declared), job.limits))).encode())
            except BaseException:
                os._exit(1)
            finally:
                os._exit(0)
        os.close(writing)
        try:
            meanwhile()
        finally:
            raw, late = _read(reading, 2 * job.limits.seconds)
            if late:
                os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)
    if not late and status == 0:
        with contextlib.suppress(ValueError, RecursionError, UnreadableRecordError):  # what a broken parser may have written
            return from_dict(Inspected, json.loads(raw), job.path)
    return _died(job, status, late)


def _read(descriptor: int, seconds: float) -> tuple[bytes, bool]:
    """Everything that is written, and whether time ran out."""
    deadline = time.monotonic() + seconds
    found: list[bytes] = []
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while True:
            if not select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return b"", True
            data = pipe.read(1 << 16)
            if not data:
                return b"".join(found), False
            found.append(data)


def confine(limits: Limits) -> None:
    """Limits of this process, for good."""
    for what, most in (
        (resource.RLIMIT_AS, _mapped() + limits.memory),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, 2 * limits.file),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _mapped() -> int:
    """Bytes of address space that this process has already: of TensorFlow, where the process that will load forks."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _died(job: Job, status: int, late: bool) -> Inspected:
    report = Report(job.path)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if late or number in (signal.SIGXCPU, signal.SIGKILL):
        report.refuse("too-slow", Path(job.path).name, f"looking at it takes more than {job.limits.seconds} s")
    else:
        why = f"signal {number}" if number else f"exit code {os.WEXITSTATUS(status)}"
        report.refuse("damaged", Path(job.path).name, f"the parser broke on it ({why})")
    return report.inspected()


def main() -> None:
    import google.protobuf.message_factory  # noqa: F401 - what every fork would import again
    import google_crc32c  # noqa: F401
    import h5py  # noqa: F401

    import reloadgate.inspection.messages  # noqa: F401

    for line in sys.stdin:
        answer: Any = to_dict(run(from_dict(Job, json.loads(line))))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
