"""Model versions of other git revisions, as folders of our own: the workspace is not touched.

A folder holds what a checkout of the revision would: its tracked files from git, and its model versions from DVC's cache or
remote, each file held against the digest that DVC recorded in that revision.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.files import md5_file, scratch
from reloadgate.text import error_line, one_line


def git(repository: Path, *arguments: str, **variables: str) -> bytes:
    """What a git command prints.

    Args:
        variables: of the environment, over this process' own.

    Raises:
        UsageError: it fails, or git is not installed.
    """
    command = ["git", "-C", str(repository), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True, env=os.environ | variables).stdout
    except FileNotFoundError:
        raise UsageError("git is not installed, and other revisions are read with it") from None
    except subprocess.CalledProcessError as error:
        raise UsageError(f"git {arguments[0]}: {one_line(error.stderr.decode(errors='replace'))}") from None


def commit(repository: Path, revision: str) -> str:
    """The commit that a revision names.

    Raises:
        UsageError: there is none.
    """
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    except UsageError:
        shallow = ", a shallow clone: fetch the rest with `git fetch --unshallow` (in CI: `fetch-depth: 0`)"
        told = f"git knows no revision {revision!r} in {repository.absolute()}"
        raise UsageError(told + (shallow if _is_shallow(repository) else "")) from None


def _is_shallow(repository: Path) -> bool:
    try:
        return git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"
    except UsageError:  # it is no repository
        return False


def holds(repository: Path, revision: str, path: str) -> bool:
    """Whether git tracks a path in a revision."""
    return bool(git(repository, "ls-tree", "--name-only", revision, "--", path))


def tags(repository: Path) -> list[str]:
    return git(repository, "tag", "--list").decode().split()


def commits(repository: Path) -> list[str]:
    """Every commit that a branch or a tag leads to, the newest first."""
    return git(repository, "rev-list", "--branches", "--tags", "HEAD").decode().split()


def check_out(repository: Path, revision: str, into: Path) -> None:
    """The files that git tracks of a repository in a revision; `into` is then a project of its own.

    They are written as a checkout writes them, which `git archive` does not: it leaves out and fills in what attributes say.
    """
    (into / ".dvc").mkdir(parents=True, exist_ok=True)
    tracked = git(repository, "rev-parse", f"{revision}:./").decode().strip()
    with scratch("index") as folder:
        places = {"GIT_INDEX_FILE": str(folder / "index"), "GIT_WORK_TREE": str(into.absolute())}
        git(repository, "read-tree", "--no-sparse-checkout", tracked, **places)
        git(repository, "checkout-index", "--all", **places)


def code(repository: Path, revision: str) -> list[str]:
    """What git tracks of the code in a revision: a line a module, with its digest."""
    listed = git(repository, "ls-tree", "-r", "-z", revision).decode(errors="surrogateescape").split("\0")
    return [line for line in listed if line.endswith(".py")]


class Versions:
    """The model versions that DVC tracks in one revision."""

    def __init__(self, repository: Path, revision: str) -> None:
        try:
            from dvc.api import DVCFileSystem
        except ImportError:
            raise UsageError("other revisions' versions are read with DVC: pip install 'reloadgate[dvc]'") from None
        self._files = DVCFileSystem(str(repository), rev=revision)

    def digest(self, path: str) -> str | None:
        """DVC's digest of a version; None where DVC does not track it in this revision."""
        try:
            found = self._files.info(path)
        except FileNotFoundError:
            return None
        return _recorded(found)

    def files(self, path: str) -> dict[str, str | None]:
        """What a revision has of a version: DVC's digest by path relative to it, None of a file that git holds itself.

        Raises:
            UnreadableRecordError: the list of files is neither in the cache nor in a remote.
        """
        try:
            listed = self._files.find(path, detail=True)
        except Exception as error:  # of DVC, of its remotes, and of the file system
            raise UnreadableRecordError(f"{path} cannot be listed: {error_line(error)}") from None
        return {name.removeprefix(path).strip("/"): _recorded(found) for name, found in listed.items()}

    def fetch(self, path: str, into: Path) -> None:
        """A version's files, into the folder `into / path`.

        Raises:
            UnreadableRecordError: it is neither in the cache nor in a remote, or is not what DVC recorded.
        """
        try:
            listed = self._files.find(path, detail=True)
            for name, found in listed.items():
                self._fetch_file(name, found, into)
        except UnreadableRecordError:
            raise
        except Exception as error:  # of DVC, of its remotes, and of the file system
            raise UnreadableRecordError(f"{path} cannot be fetched: {error_line(error)}") from None
        if not listed:
            raise UnreadableRecordError(f"{path} is not tracked in this revision")

    def _fetch_file(self, name: str, found: dict[str, Any], into: Path) -> None:
        target = into / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        self._files.get_file(name, str(target))
        recorded = _recorded(found)
        if recorded and md5_file(target) != recorded:
            raise UnreadableRecordError(f"{name} is not the file that DVC recorded: its cache or remote is damaged")


def _recorded(found: dict[str, Any]) -> str | None:
    digest = (found.get("dvc_info") or {}).get("md5")
    return None if digest is None else str(digest)
