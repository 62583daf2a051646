"""Places: what vanishes is found by what it is, and a repository that vanishes as a whole is its owner's choice."""

import tempfile
from pathlib import Path

import pytest

from reloadgate import places
from reloadgate.places import look_at

VERSION = "models/digits/1.0.0"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a disk that stays; what pytest gives is temporary, and so is `tmp_path / "tmp"` here."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(places, "_TEMPORARY", ())
    monkeypatch.setattr(places, "_mount", lambda path: (Path("/"), "ext4"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def repository(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    return folder


def test_a_version_in_a_repository_on_a_disk_is_persistent(home: Path) -> None:
    place = look_at(repository(home / "repo") / VERSION)
    assert (place.problems, place.notices) == ((), ())


def test_a_version_without_a_repository_on_a_disk_is_persistent(home: Path) -> None:
    assert look_at(home / VERSION).problems == ()


@pytest.mark.parametrize("name", ["/tmp", "/var/tmp", "/dev/shm", "/run"])
@pytest.mark.parametrize("below", ["", "a/b"])
def test_temporary_directories_are_known_by_their_names(name: str, below: str) -> None:
    problems = look_at(Path(name) / below / VERSION).problems
    assert any(f"lies in the temporary directory {Path(name).resolve()}" in problem for problem in problems)


@pytest.mark.parametrize("folder", ["/tmpfiles", "/home/tmp", "/srv/var/tmp"])
def test_a_name_that_only_looks_like_it_is_no_temporary_directory(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.setattr(places, "_mount", lambda path: (Path("/"), "ext4"))
    assert not [problem for problem in look_at(Path(folder) / VERSION).problems if "temporary" in problem]


@pytest.mark.parametrize("name", ["TMPDIR", "TEMP", "TMP"])
def test_the_environment_says_what_is_temporary(home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert look_at(home / "scratch" / VERSION).problems == ()
    monkeypatch.setenv(name, str(home / "scratch"))
    (problem,) = look_at(home / "scratch" / VERSION).problems
    assert f"temporary directory {home / 'scratch'}" in problem
    assert look_at(home / "scratches" / VERSION).problems == ()


def test_what_tempfile_says_is_temporary(home: Path, tmp_path: Path) -> None:
    assert "temporary directory" in look_at(tmp_path / "tmp" / VERSION).problems[0]


def test_a_root_that_is_called_temporary_is_not_believed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/")
    assert look_at(home / VERSION).problems == ()


@pytest.mark.parametrize("linked", ["models", "models/digits", VERSION])
def test_a_link_that_leads_to_a_temporary_directory_is_followed_and_named(home: Path, tmp_path: Path, linked: str) -> None:
    link = repository(home / "repo") / linked
    (tmp_path / "tmp/real").mkdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "tmp/real")
    (problem,) = look_at(home / "repo" / VERSION).problems
    assert "temporary directory" in problem
    assert f"through a link from {home / 'repo' / VERSION}" in problem


def test_files_that_are_links_to_a_temporary_directory_are_followed_and_named(home: Path, tmp_path: Path) -> None:
    version = repository(home / "repo") / VERSION
    (version / "vars").mkdir(parents=True)
    (tmp_path / "tmp/cache").mkdir()
    (tmp_path / "tmp/cache/ab").write_text("")
    (home / "repo/.dvc/cache").mkdir(parents=True)
    (home / "repo/.dvc/cache/cd").write_text("")
    (version / "kept").symlink_to(home / "repo/.dvc/cache/cd")
    assert look_at(version).problems == ()
    (version / "vars/0").symlink_to(tmp_path / "tmp/cache/ab")
    (problem,) = look_at(version).problems
    assert f"{tmp_path / 'tmp/cache'} lies in the temporary directory" in problem
    assert f"through a link from {version / 'vars/0'}" in problem


def test_a_way_up_is_no_link(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = repository(home / "repo")
    monkeypatch.setenv("TMPDIR", str(home))
    assert look_at(repo / "src/.." / VERSION).problems == ()


def test_a_link_from_a_temporary_directory_to_a_disk_is_persistent(home: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp/link").symlink_to(repository(home / "repo"))
    assert look_at(tmp_path / "tmp/link" / VERSION).problems == ()


@pytest.mark.parametrize("temporary", [".", "repo"])
def test_a_repository_that_vanishes_as_a_whole_is_a_notice(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    repo = repository(home / "repo")
    monkeypatch.setenv("TMPDIR", str(home / temporary))
    place = look_at(repo / VERSION)
    assert place.problems == ()
    assert f"so does the whole repository {repo}" in place.notices[0]


def test_a_version_that_vanishes_while_its_repository_stays_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = repository(home / "repo")
    monkeypatch.setenv("TMPDIR", str(repo / "scratch"))
    assert look_at(repo / VERSION).problems == ()
    assert look_at(repo / "scratch" / VERSION).problems != ()


def test_a_repository_in_a_temporary_directory_excuses_no_other_version_there(home: Path, tmp_path: Path) -> None:
    repo = repository(tmp_path / "tmp/repo")
    (repo / "models").symlink_to(tmp_path / "tmp")
    assert look_at(repo / "models/1.0.0").problems != ()
    assert look_at(tmp_path / "tmp" / VERSION).problems != ()


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Users\me\AppData\Local\Temp\digits",
        "C:/Users/me/AppData/Local/Temp",
        r"c:\users\me\appdata\local\temp\a\b",
    ],
)
def test_the_temporary_directory_of_windows_is_known_by_its_name(home: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(home)
    assert "Windows' temporary directory" in look_at(Path(path)).problems[0]


@pytest.mark.parametrize("path", [r"C:\Users\me\AppData\Local\Templates\digits", r"C:\work\temp\digits", "appdata/local/temper"])
def test_other_paths_of_windows_are_not(home: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(home)
    assert look_at(Path(path)).problems == ()


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_memory_is_known_by_its_file_system(home: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(places, "_mount", lambda path: (home, kind))
    (problem,) = look_at(home / VERSION).problems
    assert f"in memory ({kind} mounted at {home})" in problem


@pytest.mark.skipif(not Path("/proc/self/mounts").exists(), reason="only Linux says so")
def test_mounts_are_read_from_the_system() -> None:
    mount, kind = places._mount(Path("/proc/self/mounts"))
    assert (mount, kind) == (Path("/proc"), "proc")


@pytest.mark.parametrize(
    ("mode", "below"), [(0o777, ""), (0o1777, ""), (0o757, ""), (0o777, "models/digits/1.0.0"), (0o757, "models/digits/1.0.0")]
)
def test_a_directory_that_every_user_may_write_is_a_problem(home: Path, mode: int, below: str) -> None:
    (home / "shared").mkdir()
    (home / "shared").chmod(mode)
    assert look_at(home / "shared" / below).problems == (
        f"{home / 'shared'} may be written by every user; mend it with `chmod o-w`",
    )


@pytest.mark.parametrize(("name", "mode"), [("shared", 0o1777), ("tmp", 0o777)])
def test_nobody_is_told_to_close_a_sticky_or_temporary_directory_to_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int
) -> None:
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    (home / name).mkdir()
    (home / name).chmod(mode)
    assert not [problem for problem in look_at(home / name / VERSION).problems if "every user" in problem]


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775])
def test_a_directory_that_owner_and_group_may_write_is_fine(home: Path, mode: int) -> None:
    (home / "shared").mkdir()
    (home / "shared").chmod(mode)
    assert look_at(home / "shared" / VERSION).problems == ()


def test_a_version_below_a_directory_that_every_user_may_write_is_a_problem(home: Path) -> None:
    (home / VERSION).mkdir(parents=True)
    (home / "models/digits").chmod(0o777)
    assert look_at(home / VERSION).problems != ()
