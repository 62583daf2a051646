"""Memory (bytes) and cores of this machine, and of the container that it may be, by control groups of version 2."""

from contextlib import suppress
from pathlib import Path

import psutil

from reloadgate.surroundings import processors

_CONTROL_GROUP = Path("/sys/fs/cgroup")


def total() -> int:
    """What the machine has, or the container is given."""
    return min(psutil.virtual_memory().total, _given() or psutil.virtual_memory().total)


def available() -> int:
    """What can be taken now without swapping; what the system keeps of files that nobody uses, it gives back when asked."""
    free = psutil.virtual_memory().available
    given = _given()
    return free if given is None else min(free, given - _number("memory.current") + _cached())


def cores() -> int:
    """The cores that this process may use at once; a part of one is one."""
    with suppress(OSError, ValueError):  # no such file; "max"
        time, period = map(int, (_CONTROL_GROUP / "cpu.max").read_text().split())
        return min(processors(), max(1, -(-time // period)))
    return processors()


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
    """The limit of a container."""
    return _number("memory.max") or None


def _cached() -> int:
    with suppress(OSError):
        for line in (_CONTROL_GROUP / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    return 0


def _number(name: str) -> int:
    with suppress(OSError, ValueError):  # no such file; "max"
        return int((_CONTROL_GROUP / name).read_text())
    return 0
