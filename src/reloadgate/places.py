"""Whether a place keeps what is put there: what it is, not what it is called alone."""

import os
import re
import stat
import tempfile
from pathlib import Path

from reloadgate.files import project_root, regular_files
from reloadgate.nouns import noun

_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/private/tmp", "/private/var/tmp", "/var/folders")
_WINDOWS = re.compile(r"[\\/]appdata[\\/]local[\\/]temp([\\/]|$)|^[a-z]:[\\/](windows[\\/])?temp([\\/]|$)", re.IGNORECASE)
_MEMORY = {"tmpfs", "ramfs"}


@noun
class Place:
    """What was found of a directory; `problems` empty means persistent."""

    problems: tuple[str, ...]
    notices: tuple[str, ...]


def look_at(path: Path) -> Place:
    """Whether a model version may live here; raises as `regular_files` does.

    A repository that as a whole lies in a temporary place is the user's choice: its history vanishes with its models, and
    that is a notice. A version that lies in a temporary place while its project does not, or that has no project, is lost
    alone: that is a problem.
    """
    resolved = path.resolve()
    root = project_root(resolved)
    problems, notices = [], []
    for folder, link in {resolved: Path(os.path.normpath(path.absolute())), **_linked(resolved)}.items():
        for reason, where in _vanishing(folder):
            whole_project = root is not None and (where == root or where in root.parents)
            sentence = f"{folder} {reason}"
            if whole_project and (link == folder or folder != resolved):
                notices.append(f"{sentence}, and so does the whole repository {root}")
            else:
                problems.append(sentence + (f" (reached through a link from {link})" if link != folder else ""))
    if os.name == "posix":
        problems += [
            f"{folder} may be written by every user; mend it with `chmod o-w`" for folder in _open_to_every_user(resolved)
        ]
    return Place(problems=tuple(dict.fromkeys(problems)), notices=tuple(dict.fromkeys(notices)))


def _linked(resolved: Path) -> dict[Path, Path]:
    """The folders outside of a version that links in it lead to, as into DVC's cache, each with one such link."""
    found: dict[Path, Path] = {}
    for name in regular_files(resolved):
        target = Path(os.path.realpath(resolved / name))
        if resolved not in target.parents:
            found.setdefault(target.parent, resolved / name)
    return found


def _vanishing(resolved: Path) -> list[tuple[str, Path]]:
    found = [
        ("lies in the temporary directory " + str(place), place) for place in _temporary_directories() if _inside(resolved, place)
    ]
    if _WINDOWS.search(str(resolved)):
        found.append(("lies in Windows' temporary directory", resolved))
    mount, kind = _mount(resolved)
    if kind in _MEMORY:
        found.append((f"lies in memory ({kind} mounted at {mount}), which a restart empties", mount))
    return found


def _temporary_directories() -> list[Path]:
    named = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    places = [tempfile.gettempdir(), *(name for name in named if name), *_TEMPORARY]
    return list(dict.fromkeys(resolved for place in places if (resolved := Path(place).resolve()) != Path("/")))


def _inside(path: Path, place: Path) -> bool:
    return path == place or place in path.parents


def _mount(path: Path) -> tuple[Path, str]:
    """The mount point that a path lies on, and its file system's type; ("/", "") where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return Path("/"), ""
    mounts = {Path(fields[1].replace("\\040", " ")): fields[2] for line in lines if len(fields := line.split()) > 2}
    for parent in (path, *path.parents):
        if parent in mounts:
            return parent, mounts[parent]
    return Path("/"), ""


def _open_to_every_user(path: Path) -> list[Path]:
    """Folders on the way in which every user may put another version in this one's place.

    The sticky bit keeps others from renaming what lies in a folder, but not from adding to the version. A temporary directory
    is open by its nature, and said to be temporary.
    """
    existing = [folder for folder in (path, *path.parents) if folder.is_dir() and folder not in _temporary_directories()]
    modes = [folder.stat().st_mode for folder in existing]
    return [
        folder
        for folder, mode in zip(existing, modes, strict=True)
        if mode & stat.S_IWOTH and (folder == path or not mode & stat.S_ISVTX)
    ]
