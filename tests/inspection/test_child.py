"""The process that parses: what breaks it is one artifact that is refused, and nothing of the caller is visible in it."""

import faulthandler
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import artifacts
import pytest

from reloadgate.inspection import Limits, child, inspect, refusals
from reloadgate.inspection.child import Job, run


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "m.keras"
    path.write_bytes(artifacts.archive(artifacts.members()))
    return path


def code(path: Path, **limits: int) -> str:
    (finding,) = run(Job(path=str(path), declared=(), limits=Limits(**limits))).findings
    assert finding.refused
    return finding.code


def test_artifacts_are_inspected_in_their_order(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04N.")
    found = inspect([tmp_path / "m.pkl", archive, tmp_path / "none"])
    assert [(Path(one.path).name, one.refused) for one in found] == [("m.pkl", True), ("m.keras", False), ("none", True)]
    assert refusals(archive) == []
    assert [finding.code for finding in refusals(tmp_path / "m.pkl")] == ["pickle"]


def test_a_parser_that_never_ends_is_stopped(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(*arguments: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(child, "look", forever)
    assert code(archive, seconds=1) == "too-slow"


def test_a_parser_that_waits_is_stopped(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "look", lambda *arguments: os.read(os.pipe()[0], 1))
    assert code(archive, seconds=1) == "too-slow"


def test_a_parser_that_crashes_is_a_refusal(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def aborts(*arguments: Any) -> None:
        faulthandler.disable()  # pytest's own would print a page about a crash that is meant
        os.abort()

    monkeypatch.setattr(child, "look", aborts)
    assert code(archive) == "damaged"
    monkeypatch.setattr(child, "look", lambda *arguments: 1 / 0)
    assert code(archive) == "damaged"


@pytest.mark.parametrize("answer", [{}, [], {"path": 1}, None, float("inf")], ids=str)
def test_a_parser_that_answers_something_else_is_a_refusal(answer: Any, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "to_dict", lambda found: answer)
    assert code(archive) == "damaged"


def test_what_breaks_meanwhile_leaves_no_process(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork, made = os.fork, list[int]()
    monkeypatch.setattr(os, "fork", lambda: made.append(fork()) or made[0])
    with pytest.raises(ZeroDivisionError):
        run(Job(path=str(archive), declared=(), limits=Limits()), lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ChildProcessError):
        os.waitpid(made[0], 0)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *of: os.waitpid(-1, 0)], ids=["ignored", "waited for"])
def test_who_sees_to_children_in_another_way_is_no_hindrance(archive: Path, handler: Any) -> None:
    before = signal.signal(signal.SIGCHLD, handler)
    try:
        found = run(Job(path=str(archive), declared=(), limits=Limits()))
        assert signal.getsignal(signal.SIGCHLD) is handler
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert not found.refused


def test_memory_is_limited(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reloadgate.inspection import kinds

    monkeypatch.setattr(kinds, "_look", lambda *arguments: bytearray(2 << 30))
    assert code(archive, memory=1 << 30) == "too-large"


def test_nothing_heavy_is_imported_and_nothing_of_the_caller_is_seen(tmp_path: Path) -> None:
    """In the process itself: neither TensorFlow, Keras nor what an artifact names; not the caller's folder nor variables."""
    artifacts.write_checkpoint(tmp_path / "ck")
    artifacts.write_saved_model(tmp_path / "sm")
    config = artifacts.config()
    config["config"]["layers"][1].update(module="planted", class_name="Evil")
    (tmp_path / "m.keras").write_bytes(artifacts.archive(artifacts.members(config=json.dumps(config))))
    (tmp_path / "m.h5").write_bytes(artifacts.legacy())
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')")
    script = (
        "import sys; from pathlib import Path; from reloadgate.inspection.kinds import look;"
        "from reloadgate.inspection.declared import declared_from; from reloadgate.inspection.limits import Limits;"
        "found = [look(Path(one), declared_from(()), Limits()) for one in sys.argv[1:]];"
        "print([one.refused for one in found], sorted({'tensorflow', 'keras', 'planted'} & set(sys.modules)))"
    )
    paths = [str(tmp_path / name) for name in ("ck", "sm", "m.keras", "m.h5")]
    command = [sys.executable, "-I", "-c", script, *paths]
    ended = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[0] == "[False, False, True, False] []"
    assert [one.refused for one in inspect([Path(path) for path in paths])] == [False, False, True, False]
    assert not (tmp_path / "marker").exists()
