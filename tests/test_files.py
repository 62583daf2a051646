"""Files: whole or not at all, whatever breaks while they are written."""

import errno
import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reloadgate import files
from reloadgate.errors import RefusedError
from reloadgate.files import (
    BLOCK,
    STAGING,
    md5_file,
    project_root,
    read_regular,
    regular_files,
    remove_abandoned,
    scratch,
    sha256_file,
    staged_directory,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


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


def killed(code: str, *arguments: Path) -> None:
    """Run code in a process that ends itself as a kill would."""
    head = "import os, sys; from pathlib import Path; from reloadgate.files import *; path = Path(sys.argv[1])\n"
    ended = subprocess.run([sys.executable, "-c", head + code, *arguments], check=False)
    assert ended.returncode == -9


DIE = "os.kill(os.getpid(), 9)"
KILLED = {
    "a directory": f"with staged_directory(path / 'version') as staged: (staged / 'file').touch(); {DIE}",
    "a file": f"os.fsync = lambda handle: {DIE}\nwrite_atomically(path / 'file', b'content')",
}


@pytest.mark.parametrize("what", KILLED)
def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path, what: str) -> None:
    for name in ("1.0.0", ".reloadgate-else", "staging"):
        (tmp_path / name).mkdir()
    kept = names(tmp_path)
    killed(KILLED[what], tmp_path)
    assert len(names(tmp_path)) == len(kept) + 1
    remove_abandoned(tmp_path)
    assert names(tmp_path) == kept


def test_what_is_in_the_making_is_not_abandoned(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "version") as staged:
        remove_abandoned(tmp_path)
        assert staged.is_dir()
    assert names(tmp_path) == ["version"]


def test_what_was_tidied_up_before_it_was_marked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, times = files._lock, []

    def late(descriptor: int, wait: bool) -> bool:
        if wait and not times:
            times.append(1)
            remove_abandoned(tmp_path)
        return lock(descriptor, wait)

    monkeypatch.setattr(files, "_lock", late)
    with staged_directory(tmp_path / "version") as staged:
        assert staged.is_dir()
    assert names(tmp_path) == ["version"]
    assert times == [1]


def test_a_link_to_what_is_anothers_is_not_followed_when_tidying(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / f"{STAGING}0").symlink_to(tmp_path / "else")
    os.mkfifo(tmp_path / f"{STAGING}1")
    remove_abandoned(tmp_path)
    assert (tmp_path / "else").is_dir()


def test_a_scratch_folder_is_private_and_goes_also_where_its_process_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed(f"import tempfile; tempfile.tempdir = str(path)\nwith scratch('one') as made: (made / 'x').touch(); {DIE}", tmp_path)
    assert len(names(tmp_path)) == 1
    remove_abandoned()
    with scratch("two") as made:
        assert names(tmp_path) == [made.name]
        assert made.stat().st_mode & 0o777 == 0o700
    assert names(tmp_path) == []


@pytest.mark.parametrize("what", ["fifo", "socket", "device", "directory", "link to a fifo", "link to nothing"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, what: str) -> None:
    path = tmp_path / "model.keras"
    match what:
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
        case "device":
            path.symlink_to("/dev/zero")
        case "directory":
            path.mkdir()
        case "link to a fifo":
            os.mkfifo(tmp_path / "fifo")
            path.symlink_to(tmp_path / "fifo")
        case "link to nothing":
            path.symlink_to(tmp_path / "nothing")
    for reads in (sha256_file, md5_file, read_regular):
        with pytest.raises(OSError, match=r"regular|No such"):
            reads(path)


def test_what_is_larger_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(tmp_path / "file", 4)


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


@pytest.mark.parametrize(("link", "folder"), [("a", "b"), ("b", "a")])
def test_a_folder_and_a_link_to_it_are_listed_both_whichever_comes_first(tmp_path: Path, link: str, folder: str) -> None:
    (tmp_path / folder / "data").mkdir(parents=True)
    (tmp_path / folder / "data/w.bin").write_bytes(b"")
    (tmp_path / link).mkdir()
    (tmp_path / link / "data").symlink_to(f"../{folder}/data")
    assert [path.as_posix() for path in regular_files(tmp_path)] == ["a/data/w.bin", "b/data/w.bin"]


def test_links_that_lead_to_one_another_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "file").write_bytes(b"")
        (tmp_path / one / "up").symlink_to("..")
        (tmp_path / one / "other").symlink_to(f"../{other}")
    listed = [path.as_posix() for path in regular_files(tmp_path)]
    assert listed == ["a/file", "a/other/file", "b/file", "b/other/file"]


def test_folders_without_files_are_not_walked_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 100)
    for depth in range(10):  # 2 ** 10 ways lead to the last
        (tmp_path / str(depth)).mkdir()
        for link in ("x", "y"):
            (tmp_path / str(depth) / link).symlink_to(f"../{depth + 1}")
    (tmp_path / "10").mkdir()
    with pytest.raises(RefusedError, match="more than 100 files"):
        list(regular_files(tmp_path))


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
