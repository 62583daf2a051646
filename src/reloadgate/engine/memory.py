"""Memory of this machine, and of the container that it may be, in bytes."""

from pathlib import Path

import psutil

_CONTROL_GROUP = Path("/sys/fs/cgroup")


def total() -> int:
    """What the machine has, or the container is given."""
    return min(psutil.virtual_memory().total, _given() or psutil.virtual_memory().total)


def available() -> int:
    """What can be taken now without swapping."""
    free = psutil.virtual_memory().available
    given = _given()
    return free if given is None else min(free, given - _number(_CONTROL_GROUP / "memory.current", 0))


def resident(pid: int | None) -> int:
    """Resident memory of a process and of what it has started; 0 where it has ended."""
    try:
        process = psutil.Process(pid)
        return sum(_resident(one) for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _given() -> int | None:
    """The limit of a container, by control groups of version 2."""
    limit = _number(_CONTROL_GROUP / "memory.max", 0)
    return limit or None


def _number(path: Path, otherwise: int) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file; "max"
        return otherwise
