"""A kill at any moment leaves a whole directory or none, and a whole file or the one before."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reloadgate.files import STAGING, remove_abandoned, staged_directory, write_atomically

NAMES = ("model.keras", "evidence/arrays.npz", "evidence/evidence.json")
MOMENTS = range(36)


def publish(version: Path) -> None:
    with staged_directory(version) as staged:
        for name in NAMES:
            write_atomically(staged / name, name.encode() * 1000)


def dies_at(moment: int, action: Callable[[], None]) -> bool:
    """Run an action in a child that SIGKILLs itself at the n-th moment at which something reaches the disk."""
    child = os.fork()
    if child == 0:
        _arm(moment)
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _arm(moment: int) -> None:
    count = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal count
            count += 1
            if count > moment:
                os.kill(os.getpid(), 9)
            return function(*arguments, **keywords)

        return call

    os.fsync = counted(os.fsync)
    Path.open, Path.rename, Path.replace, Path.mkdir = map(counted, (Path.open, Path.rename, Path.replace, Path.mkdir))  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_writer_leaves_a_whole_version_or_none_and_the_next_one_cleans_up(moment: int, tmp_path: Path) -> None:
    version = tmp_path / "models/digits/1.0.0"
    dies_at(moment, lambda: publish(version))
    if version.exists():
        assert all((version / name).read_bytes() == name.encode() * 1000 for name in NAMES)
        return
    remains = list(version.parent.iterdir()) if version.parent.exists() else []
    assert all(path.name.startswith(STAGING) for path in remains)
    if remains:
        remove_abandoned(version.parent)
    publish(version)
    assert [path.name for path in version.parent.iterdir()] == ["1.0.0"]


def test_the_moments_reach_from_before_the_first_write_to_after_the_last(tmp_path: Path) -> None:
    killed = [dies_at(moment, lambda m=moment: publish(tmp_path / str(m) / "v")) for moment in MOMENTS]  # type: ignore[misc]
    assert killed[0]
    assert not killed[-1]


@pytest.mark.parametrize("moment", range(5))
def test_a_killed_writer_leaves_the_file_of_before_or_the_new_one(moment: int, tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(b"before")
    dies_at(moment, lambda: write_atomically(path, b"after"))
    assert path.read_bytes() in (b"before", b"after")
