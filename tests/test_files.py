"""Files: whole or not at all, whatever breaks while they are written."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reloadgate import files
from reloadgate.files import (
    BLOCK,
    STAGING,
    project_root,
    regular_files,
    remove_stale_staging,
    sha256_file,
    staged_directory,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def dead_pid() -> int:
    """The process id of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return ended.pid


# One file


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_a_file_is_hashed_and_copied_in_one_reading(tmp_path: Path, size: int) -> None:
    content = b"x" * size
    (tmp_path / "file").write_bytes(content)
    expected = (hashlib.sha256(content).hexdigest(), size)
    assert sha256_file(tmp_path / "file") == expected
    assert sha256_file(tmp_path / "file", copy_to=tmp_path / "copy") == expected
    assert (tmp_path / "copy").read_bytes() == content


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"new")
    (tmp_path / "copy").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        sha256_file(tmp_path / "file", copy_to=tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"old"


def test_a_file_is_published_with_its_folders_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    for content in (b"one", b"two"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(broken, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("sync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("rename"), replace(self, target)))
    write_atomically(tmp_path / "file", b"content")
    assert done == ["sync", "rename", "sync"]


# A directory


def test_a_directory_takes_its_name_when_the_block_ends(tmp_path: Path) -> None:
    destination = tmp_path / "models/digits/1.0.0"
    with staged_directory(destination) as staged:
        assert staged.parent == destination.parent
        (staged / "below").mkdir()
        (staged / "below/file").write_bytes(b"content")
        assert not destination.exists()
    assert (destination / "below/file").read_bytes() == b"content"
    assert names(destination.parent) == ["1.0.0"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_block_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), staged_directory(tmp_path / "version") as staged:
        (staged / "file").write_bytes(b"content")
        raise error
    assert names(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left"), staged_directory(tmp_path / "version") as staged:
        (staged / "file").write_bytes(b"content")
        monkeypatch.setattr(os, "fsync", full_disk)
    assert names(tmp_path) == []


@pytest.mark.parametrize("what", ["directory", "file"])
def test_a_destination_that_exists_stays_as_it_is(tmp_path: Path, what: str) -> None:
    destination = tmp_path / "version"
    kept = destination / "file" if what == "directory" else destination
    with pytest.raises(FileExistsError, match="version"), staged_directory(destination) as staged:
        (staged / "file").write_bytes(b"second")
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(b"first")
    assert kept.read_bytes() == b"first"
    assert names(tmp_path) == ["version"]


def test_an_empty_destination_exists_too(tmp_path: Path) -> None:
    (tmp_path / "version").mkdir()
    with pytest.raises(FileExistsError), staged_directory(tmp_path / "version"):
        pass


def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), staged_directory(tmp_path / "version") as slow:
        (slow / "file").write_bytes(b"slow")
        with staged_directory(tmp_path / "version") as quick:
            (quick / "file").write_bytes(b"quick")
    assert (tmp_path / "version/file").read_bytes() == b"quick"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dead_pid: int
) -> None:
    stale = f"{STAGING}1.0.0-{dead_pid}-0a1b2c3d"
    kept = [f"{STAGING}1.0.0-{os.getpid()}-0a1b2c3d", f"{STAGING}odd", "1.0.0", f"1.0.0-{dead_pid}-0a1b2c3d"]
    for name in (stale, *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"content")
    remove_stale_staging(tmp_path)
    assert names(tmp_path) == sorted(kept)


def test_what_another_users_writer_holds_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_permitted(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_permitted)
    (tmp_path / f"{STAGING}1.0.0-1-0a1b2c3d").mkdir()
    remove_stale_staging(tmp_path)
    assert len(names(tmp_path)) == 1


def test_a_writer_that_is_killed_leaves_what_is_recognised_as_stale(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from reloadgate.files import staged_directory\n"
    code += "with staged_directory(Path(sys.argv[1])) as staged: (staged / 'file').touch(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, tmp_path / "version"], check=False)
    assert [name.startswith(STAGING) for name in names(tmp_path)] == [True]
    remove_stale_staging(tmp_path)
    assert names(tmp_path) == []


# Many files


def test_files_are_listed_in_order_without_the_folder_left_out_at_the_top(tmp_path: Path) -> None:
    for name in ("b/2", "b/evidence/1", "a", "evidence/x", "c/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.as_posix() for path in regular_files(tmp_path, leave_out="evidence")] == [
        "a",
        "b/2",
        "b/evidence/1",
        "c/.hidden",
    ]
    assert Path("evidence/x") in list(regular_files(tmp_path))


def test_a_link_to_a_directory_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/shard").touch()
    (tmp_path / "version").mkdir()
    (tmp_path / "version/shards").symlink_to(tmp_path / "elsewhere")
    assert list(regular_files(tmp_path / "version")) != []


@pytest.mark.parametrize("marker", [".git", ".dvc"])
def test_a_project_begins_where_its_repository_does(tmp_path: Path, marker: str) -> None:
    (tmp_path / "repo/models").mkdir(parents=True)
    assert project_root(tmp_path / "repo/models/1.0.0") is None
    (tmp_path / "repo" / marker).mkdir()
    assert project_root(tmp_path / "repo/models/1.0.0") == tmp_path / "repo"
    assert project_root(tmp_path / "repo") == tmp_path / "repo"
    assert project_root(tmp_path) is None


def test_a_worktree_is_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert project_root(tmp_path / "models") == tmp_path


def test_everything_below_a_directory_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    synced = set()
    monkeypatch.setattr(os, "fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    files.sync_tree(tmp_path)
    assert synced == {(tmp_path / name).stat().st_ino for name in ("", "a", "a/b", "a/b/file")}
