"""Memory (bytes) and cores of this machine, and of the container that it may be, by control groups of version 2."""

import os
from collections import Counter
from collections.abc import Collection
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


def resident(sessions: Collection[int | None]) -> Counter[int | None]:
    """Resident memory of all processes of these sessions together, by session: one look at the machine's processes for all."""
    found: Counter[int | None] = Counter()
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):  # it has ended
            if (session := os.getsid(pid)) in sessions:
                found[session] += psutil.Process(pid).memory_info().rss
    return found


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
