"""What lies in a folder at every moment of an action: what a kill at that moment would leave.

A kill takes nothing back that was written, and only what Python tells of (PEP 578) makes, names or removes a file. So the
folder as it is whenever something is about to happen is what a kill just then leaves; one run shows every moment.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

State = dict[str, bytes | None]
"""Content by path relative to the folder; None of a directory."""

_listening: list[Callable[[], None]] = []
_looking = threading.Lock()


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listening or not (event.startswith(("os.", "shutil.")) or event == "open"):
        return
    if _looking.acquire(blocking=False):  # what a look does itself is no moment, nor what another thread does meanwhile
        try:
            for listener in _listening:
                listener()
        finally:
            _looking.release()


sys.addaudithook(_hear)


def state(folder: Path) -> State:
    paths = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in paths}


def lay_out(folder: Path, found: State) -> None:
    """Make a folder what it was at a moment."""
    folder.mkdir()
    for name, content in found.items():
        if content is None:
            (folder / name).mkdir(parents=True)
        else:
            (folder / name).write_bytes(content)


def moments(folder: Path, action: Callable[[], object]) -> list[State]:
    """Every state of the folder while the action runs, the last one when it has ended."""
    found: list[State] = [state(folder)]

    def look() -> None:
        if (now := state(folder)) != found[-1]:
            found.append(now)

    _listening.append(look)
    try:
        action()
    finally:
        _listening.clear()
    look()
    return found
