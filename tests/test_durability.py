"""A kill at any moment leaves a whole version or none, and no verdict of before; a full disk the same, and says so."""

import itertools
import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import moments
import reloadgate
from builders import build
from reloadgate import report
from reloadgate.cli.stages import judge
from reloadgate.errors import RefusedError
from reloadgate.evidence import EVIDENCE_DIR, SavedEvidence, read_saved, read_sealed
from reloadgate.files import STAGING, remove_abandoned, staged_directory, write_atomically
from reloadgate.nouns import read_json
from reloadgate.project import RECORDS, REPORTS
from reloadgate.restoring import refuse_altered

NAMES = ("model.keras", "evidence/arrays.npz", "evidence/evidence.json")


def publish(version: Path) -> None:
    with staged_directory(version) as staged:
        for name in NAMES:
            write_atomically(staged / name, name.encode() * 1000)


def limited(size: int, action: Callable[[], object]) -> tuple[int, str]:
    """Run an action in a fork that may write no file larger than `size`: its exit code, and what it raised."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            action()
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


# Kills


def test_at_every_moment_a_version_is_whole_or_absent_and_the_next_writer_cleans_up(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    found = moments.moments(tmp_path / "models", lambda: publish(tmp_path / "models/digits/1.0.0"))
    assert len(found) > 2 * len(NAMES)
    for number, moment in enumerate(found):
        mine = {name: content for name, content in moment.items() if name.startswith("digits/1.0.0/") and content}
        assert mine in ({}, {f"digits/1.0.0/{name}": name.encode() * 1000 for name in NAMES})
        killed = tmp_path / f"killed{number}"
        moments.lay_out(killed, moment)
        if (killed / "digits").is_dir():
            remove_abandoned(killed / "digits")
        if not mine:
            publish(killed / "digits/1.0.0")
        assert [path.name for path in (killed / "digits").iterdir()] == ["1.0.0"]


def test_at_every_moment_a_file_is_the_one_of_before_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(b"before")
    seen = [moment["verdict.json"] for moment in moments.moments(tmp_path, lambda: write_atomically(path, b"after"))]
    assert (seen[0], seen[-1]) == (b"before", b"after")
    assert set(seen) == {b"before", b"after"}


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which everything passed; its reports."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("models:\n  digits: {version: 1.0.0}\n")
    build(Path()).record(RECORDS)
    from reloadgate.cli.stages import compare

    compare()
    judge()
    return tmp_path / REPORTS


def test_at_every_moment_of_judging_the_reports_say_error_or_all_is_there(judged: Path) -> None:
    import json

    before = moments.state(judged)
    found = moments.moments(judged, judge)
    assert len(found) > 10
    statuses = [json.loads(moment[report.VERDICT])["status"] for moment in found]
    assert statuses[0] == statuses[-1] == "PASS"
    # The verdict is the first to go and the last to come: what it says holds for all that lies beside it.
    passing = [{name: text for name, text in moment.items() if STAGING not in name} for moment in found]
    for status, moment in zip(statuses, passing, strict=True):
        assert status == "ERROR" or {**moment, "report.html": b""} == {**before, "report.html": b""}
    assert [status for status, _ in itertools.groupby(statuses)] == ["PASS", "ERROR", "PASS"]


def test_what_a_killed_judge_left_is_removed_by_the_next(judged: Path) -> None:
    (judged / f"{STAGING}0123").write_bytes(b"half")
    (judged / "plots" / f"{STAGING}0123").write_bytes(b"half")
    judge()
    assert not [path for path in judged.rglob("*") if STAGING in path.name]


@pytest.mark.keras
def test_at_every_moment_of_save_and_record_the_version_is_whole_or_absent(keras: Any, tmp_path: Path) -> None:
    import models as small

    keras.utils.set_random_seed(3)
    model, batch = small.plain(), small.data("plain")
    version = tmp_path / "models/plain/1"
    version.parent.mkdir(parents=True)
    found = moments.moments(version.parent, lambda: reloadgate.save(model, version, probe=batch, steps=1, location="any"))
    refuse_altered(version, read_sealed(SavedEvidence, version / EVIDENCE_DIR))
    whole = {name: content for name, content in found[-1].items() if name.split("/")[0] == "1"}
    assert len(found) > 6
    assert len(whole) > 4
    for moment in found:
        seen = {name: content for name, content in moment.items() if not name.startswith(STAGING)}
        assert seen in ({}, whole)

    taken = tmp_path / "models/plain/2"
    taken.mkdir()
    (taken / "model.keras").write_bytes((version / "model.keras").read_bytes())
    found = moments.moments(taken, lambda: reloadgate.record(model, taken, probe=batch, steps=1))
    evidence = {name: content for name, content in found[-1].items() if name.startswith(EVIDENCE_DIR)}
    for number, moment in enumerate(found):
        assert {name: content for name, content in moment.items() if name.startswith(EVIDENCE_DIR)} in ({}, evidence)
        if number == len(found) // 2:  # killed half way, and recorded again
            killed = tmp_path / "models/plain/3"
            moments.lay_out(killed, moment)
            reloadgate.record(model, killed, probe=batch, steps=1)
            assert [file.path for file in read_saved(killed / EVIDENCE_DIR)[0].files] == ["model.keras"]
            assert sorted(path.name for path in killed.iterdir()) == [EVIDENCE_DIR, "model.keras"]


# A full disk


def test_a_full_disk_leaves_the_file_of_before_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(b"before")
    code, said = limited(100, lambda: write_atomically(path, b"x" * 101))
    assert (code, "File too large" in said) == (1, True)
    assert moments.state(tmp_path) == {"verdict.json": b"before"}


@pytest.mark.parametrize("size", [0, 100, 1000, 3000, 10_000])
def test_a_judge_whose_disk_is_full_leaves_no_pass(judged: Path, size: int) -> None:
    code, said = limited(size, judge)
    assert code == 1
    assert "File too large" in said
    reports = moments.state(judged)
    assert not [name for name in reports if STAGING in name]
    # Where ERROR could not be written, there is nothing that could say PASS.
    assert report.VERDICT not in reports or read_json(judged / report.VERDICT)["status"] == "ERROR"
    assert report.METRICS not in reports or read_json(judged / report.METRICS)["status"] == "ERROR"


@pytest.mark.keras
@pytest.mark.parametrize("when", ["_observe", "_seal", "Keras saves"])
def test_a_save_whose_disk_is_full_says_so_and_leaves_nothing(
    keras: Any, tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import models as small
    from reloadgate import recording
    from reloadgate.formats import keras_archive

    publish(tmp_path / "models/plain/1")
    before = moments.state(tmp_path)
    where, name = (keras_archive, "save") if when == "Keras saves" else (recording, when)
    does, limits = getattr(where, name), resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(*arguments: Any, **named: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        return does(*arguments, **named)

    monkeypatch.setattr(where, name, full)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match=r"plain/2 was not saved, and nothing of it is there: .*File too large"):
            reloadgate.save(small.plain(), tmp_path / "models/plain/2", probe=small.data("plain"), steps=0, location="any")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert moments.state(tmp_path) == before


# Races


def test_of_many_writers_at_once_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    together, ends = threading.Barrier(8), []

    def writes(number: int) -> None:
        try:
            with staged_directory(tmp_path / "version") as staged:
                (staged / "whose").write_text(str(number))
                together.wait()
            ends.append(number)
        except FileExistsError:
            ends.append(None)

    threads = [threading.Thread(target=writes, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [end for end in ends if end is not None]
    assert len(ends) == 8
    assert (tmp_path / "version/whose").read_text() == str(won)
    assert [path.name for path in tmp_path.iterdir()] == ["version"]


@pytest.mark.keras
def test_a_save_that_came_second_is_told(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import models as small
    from reloadgate.formats import keras_archive

    version, saves = tmp_path / "m/1", keras_archive.save

    def late(model: Any, path: Path) -> Any:
        publish(version)
        return saves(model, path)

    monkeypatch.setattr(keras_archive, "save", late)
    with pytest.raises(RefusedError, match="published by another process"):
        reloadgate.save(small.plain(), version, probe=small.data("plain"), steps=1, location="any")
    assert (version / NAMES[0]).read_bytes() == NAMES[0].encode() * 1000
    assert [path.name for path in version.parent.iterdir()] == ["1"]
