"""What a reload took from outside of the version and of the installed packages: the files, and what cannot be told.

Evidence may be used again only while everything that it came from is the same. Python reports each file that it opens, each
connection and each process (PEP 578); what was imported before the child began is found among the modules.
"""

import functools
import os
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from reloadgate.files import sha256_file
from reloadgate.nouns import noun, to_dict, write_json

FOOTPRINT = "footprint.json"

_OUTSIDE = ("socket.connect", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "ctypes.dlopen")
_LISTED = ("os.listdir", "os.scandir")
_OPENED = ("open", "sqlite3.connect")
_HEARD = frozenset((*_OPENED, "os.mkdir", *_LISTED, *_OUTSIDE))
_PACKAGE = Path(__file__).parents[1]
_KERNEL = ("/dev", "/proc", "/sys")


def imported() -> set[str]:
    """The files of every module that was imported, behind links."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {_behind_links(file) for file in files if file}


_behind_links = functools.cache(os.path.realpath)
"""Asked once in the fork server (thousands of files, 0.2 s), whose children all know the answers."""


@noun
class Footprint:
    files: dict[str, str]
    """SHA-256 by absolute path."""
    unknown: tuple[str, ...]
    """What was taken and cannot be told by digest: then nothing is reused."""


class Steps:
    """Follows this process from now on; it cannot be told to stop."""

    def __init__(self) -> None:
        self._began = time.time_ns()
        self._read: set[str] = set()
        self._made: set[str] = set()
        self._outside: set[str] = set()
        self._opened: set[str] = set()
        self._listed: set[str] = set()
        sys.addaudithook(self._hear)

    def opened(self) -> set[str]:
        """The files that were opened since this was last asked, imports and what is installed or was made here left out."""
        opened, self._opened = self._opened, set()
        roots = self._roots()
        return {path for path in opened if not (path + os.sep).startswith(roots)}

    def _roots(self, *own: Path) -> tuple[str, ...]:
        """The beginnings of paths that are accounted for."""
        installed = {*sysconfig.get_paths().values(), sysconfig.get_paths(vars={"base": sys.base_prefix})["stdlib"]}
        known = [*installed, *_KERNEL, *map(str, (_PACKAGE, *own))]
        return (*(os.path.realpath(root) + os.sep for root in known), *(path + os.sep for path in self._made))

    def write(self, out: Path, *own: Path) -> None:
        """Write the footprint into `out`; `own` are folders whose files are accounted for."""
        roots = self._roots(out, *own)
        files, unknown = {}, set(self._outside)
        unknown |= {f"{path} was listed" for path in self._listed if not (path + os.sep).startswith(roots)}
        for path in sorted(self._read | imported()):
            if (path + os.sep).startswith(roots) or f"{os.sep}__pycache__{os.sep}" in path:  # made of what is listed itself
                continue
            try:
                if Path(path).stat().st_ctime_ns >= self._began:
                    unknown.add(f"{path} changed meanwhile")
                else:
                    files[path] = sha256_file(Path(path))[0]
            except OSError:
                unknown.add(f"{path} is no file")
        write_json(out / FOOTPRINT, to_dict(Footprint(files=files, unknown=tuple(sorted(unknown)))))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _HEARD:  # most are not, and there are thousands
            return
        if event in (*_OPENED, "os.mkdir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            flags = arguments[2] if event == "open" else 0
            new = event == "os.mkdir" or (isinstance(flags, int) and flags & (os.O_TRUNC | os.O_EXCL))
            made = new and path not in self._read
            (self._made if made else self._read).add(path)
            if not made and not _importing():
                self._opened.add(path)
        elif event in _LISTED:
            # What Python lists to find a module is told by `reuse.py`.
            if isinstance(arguments[0], (str, bytes)) and not sys._getframe(1).f_code.co_filename.startswith("<frozen importlib"):
                self._listed.add(os.path.realpath(os.fsdecode(arguments[0])))
        elif event in _OUTSIDE and not (event == "os.fork" and _PACKAGE in Path(sys._getframe(1).f_code.co_filename).parents):
            self._outside.add(event)  # inspection forks too: it reads the artifact, and runs nothing of it


def _importing() -> bool:
    """Whether a module is being imported: what it reads then is its own."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
    return False
