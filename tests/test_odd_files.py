"""Links that lead nowhere, FIFOs, devices, sockets, names too long, code where data is: refused at once, at every entry."""

import json
import os
import signal
import socket
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from builders import ARTIFACT, build
from reloadgate.arrays import ArrayReader, ArrayWriter
from reloadgate.engine import LocalEngine
from reloadgate.errors import RefusedError, UnreadableRecordError, UsageError
from reloadgate.evidence import Recipe, Tried
from reloadgate.files import digests, regular_files
from reloadgate.formats import artifacts_in
from reloadgate.gate import gate
from reloadgate.inspection import inspect
from reloadgate.inspection.limits import Limits
from reloadgate.live.version_files import irregular
from reloadgate.nouns import read_json
from reloadgate.policy import Policy, read_yaml
from reloadgate.probe import Probe
from reloadgate.project import Subject
from reloadgate.recording import manifest
from reloadgate.reload import reload
from reloadgate.verdict import Status
from reloadgate.verifying import subject_of, verify


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Whatever waits for a FIFO is interrupted, and fails."""
    signal.alarm(60)
    yield
    signal.alarm(0)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/{path.name}")  # the path of a socket is short
        os.close(folder)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nothing")


def directory(path: Path) -> None:
    path.mkdir()


ODD: dict[str, Callable[[Path], None]] = {one.__name__: one for one in (fifo, listening, device, loop, dangling, directory)}
each = pytest.mark.parametrize("odd", ODD)


@each
def test_what_reads_records_refuses_it(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "record"
    ODD[odd](path)
    for reads, error in ((read_json, UnreadableRecordError), (Probe.read, UnreadableRecordError), (read_yaml, UsageError)):
        with pytest.raises(error, match="record"):
            reads(path)
    with pytest.raises(UnreadableRecordError, match="record"):
        ArrayReader(path)


@each
@pytest.mark.parametrize("name", ["evidence.json", "arrays.npz", "probe.npz"])
def test_evidence_that_is_odd_is_no_evidence(odd: str, name: str, tmp_path: Path) -> None:
    built = build(tmp_path)
    built.sealed.joinpath(name).unlink()
    ODD[odd](built.sealed / name)
    rows = built.compare().rows
    assert any(row.group == "evidence" and row.outcome in ("unchecked", "changed") for row in rows)


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd != "directory"])
def test_what_is_no_file_in_a_version_is_named(odd: str, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("")
    (tmp_path / "below").mkdir()
    ODD[odd](tmp_path / "below/odd")
    assert [(check.tried, check.subject) for check in irregular(tmp_path)] == [(Tried.BROKEN, "below/odd")]


def test_evidence_of_a_format_that_is_none_is_no_evidence(tmp_path: Path) -> None:
    built = build(tmp_path)
    sealed = json.loads((built.sealed / "evidence.json").read_text())
    sealed["record"]["artifacts"][0]["format"] = "pickle"
    (built.sealed / "evidence.json").write_text(json.dumps(sealed))
    (row,) = (row for row in built.compare().rows if row.subject == "saved evidence")
    assert (row.outcome, "format" in row.detail) == ("unchecked", True), row.detail


@each
def test_a_version_that_is_odd_is_refused_by_verify_and_reload(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "version"
    ODD[odd](path)
    if odd == "directory":  # is a version in which nothing lies
        with pytest.raises(UsageError, match="holds no artifact"):
            list(reload([subject_of(path)], tmp_path / "out", None))  # type: ignore[arg-type]
        return
    with pytest.raises(UsageError, match="version"):
        subject_of(path)
    with pytest.raises(UsageError, match="version"):
        list(reload([Subject(name="odd", path=str(path))], tmp_path / "out", None))  # type: ignore[arg-type]


@each
def test_a_version_that_holds_it_is_not_recorded(odd: str, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"?")
    ODD[odd](tmp_path / "odd")
    if odd == "directory":
        assert [file.path for file in manifest(tmp_path)] == ["model.keras"]
        return
    with pytest.raises(RefusedError, match=r"odd cannot be recorded: .*; take it out"):
        manifest(tmp_path)
    assert [*digests(tmp_path)] == ["model.keras"]


@each
def test_the_gate_lets_no_version_pass_that_holds_it(odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = build(Path())
    (built.subject.directory / ARTIFACT.path).unlink()
    ODD[odd](built.subject.directory / ARTIFACT.path)
    gated = gate([built.subject], built.record(Path("records")), built.evidence, Path("none.json"), Policy())
    assert gated.verdict.status is not Status.PASS
    assert any("not the file that was reloaded" in objection for objection in gated.objections)


@pytest.mark.parametrize(
    "index",
    [
        b"", b"{", b"{}", b"[]", b"\xff", b'{"weight_map": []}', b'{"weight_map": {"a": 1}}', b'{"weight_map": {"a": [1]}}',
        b'{"weight_map": {"a": [["b"]]}}', b"[" * 100_000, b'{"weight_map": ' + b"1" * 5000, b" " * 9999 + b"{}",
    ],
)  # fmt: skip
def test_an_index_of_shards_that_leads_nowhere_is_an_artifact_to_be_refused(
    index: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reloadgate.formats.weights.Limits", lambda: Limits(config=200_000 if index[:1] == b"[" else 9999))
    for name, data in (("x.weights.json", index), ("x.weights.h5", b"")):
        (tmp_path / name).write_bytes(data)
    assert [artifact.path for artifact in artifacts_in(tmp_path, None)] == ["x.weights.h5", "x.weights.json"]


def test_an_index_of_shards_that_is_no_file_is_an_artifact_to_be_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.weights.json")
    assert [artifact.path for artifact in artifacts_in(tmp_path, None)] == ["x.weights.json"]


@pytest.mark.keras
def test_verify_answers_for_a_version_whose_index_leads_nowhere(engine: LocalEngine, anywhere: Policy, tmp_path: Path) -> None:
    (tmp_path / "x.weights.json").write_text("{}")
    verdict = verify(tmp_path, policy=anywhere, engine=engine)
    assert verdict.status is not Status.PASS
    assert any("it maps no weights" in finding.message for finding in verdict.of(Status.FAIL))


def test_inspection_refuses_it(tmp_path: Path) -> None:
    for odd in ODD:
        ODD[odd](tmp_path / f"{odd}.keras")
    assert [one.refused for one in inspect(sorted(tmp_path.iterdir()))] == [True] * len(ODD)


@each
def test_nothing_is_saved_in_its_place_nor_below_it(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    ODD[odd](path)
    with pytest.raises(RefusedError, match="exists"):
        reloadgate.save(None, path, probe=None, location="any")
    if odd != "directory":
        with pytest.raises(RefusedError, match="no directory"):
            reloadgate.save(None, path / "1.0.0", probe=None, location="any")


@pytest.mark.parametrize("name", ["n" * 256, "ñ" * 128])
def test_a_name_that_no_file_system_takes_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="256 bytes, and file systems take 255"):
        reloadgate.save(None, tmp_path / name / "1", probe=None, location="any")
    with pytest.raises(UsageError, match="File name too long"):
        subject_of(tmp_path / name)


def test_the_longest_name_that_a_file_system_takes_can_be_published(tmp_path: Path) -> None:
    from reloadgate.files import staged_directory, write_atomically

    write_atomically(tmp_path / ("n" * 255), b"content")
    with staged_directory(tmp_path / ("d" * 255)):
        pass
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_that_leads_to_everything_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reloadgate.files.MOST_FILES", 50)
    (tmp_path / "version").mkdir()
    (tmp_path / "version/link").symlink_to("/usr")
    with pytest.raises(RefusedError, match="more than 50 files: look for a link"):
        list(regular_files(tmp_path / "version"))


@pytest.mark.parametrize("reads", [ArrayReader, Probe.read])
def test_an_archive_of_evidence_with_packed_members_is_refused(reads: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, zeros=np.zeros(1 << 20))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(UnreadableRecordError, match="packed"):
        reads(path)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62,), (1 << 31, 1 << 31)])
def test_an_array_that_declares_more_than_it_holds_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    header = BytesIO()
    np.lib.format.write_array_header_2_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"1234")
    array = ArrayWriter().put("a", np.zeros(3, np.float32))
    with pytest.raises(UnreadableRecordError, match="cannot be read"):
        ArrayReader(tmp_path / "arrays.npz").get(array)


# A recipe is read from the version, which is what is not trusted


@pytest.mark.keras
@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"loader": "runpy:run_path"}, "Python's own"),
        ({"builder": "os.path:exists"}, "Python's own"),
        ({"loader": "tensorflow:load_library"}, "the installed package tensorflow"),
        ({"loader": "_pytest.config:main"}, "the installed package pytest"),
        ({"imports": ("hidden",)}, "from a version itself"),
        ({"imports": ("hidden.below",)}, "from a version itself"),
        ({"loader": "m.one.hidden:load"}, "from a version itself"),
    ],
)
def test_a_recipe_runs_no_code_of_the_version(
    fields: dict[str, Any], complaint: str, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reloadgate.live.declared import declared

    version = tmp_path / "m/one"
    version.mkdir(parents=True)
    (version / "hidden.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(str(version))
    monkeypatch.syspath_prepend(str(tmp_path))
    recipe = Recipe(**({"loader": None, "builder": None, "imports": (), "code_path": ()} | fields))
    with pytest.raises(UsageError, match=complaint):
        declared(recipe, version)
    assert declared(Recipe(loader="models:plain", builder=None, imports=("models",), code_path=()), version)


@pytest.mark.keras
def test_a_recipe_runs_no_code_of_another_version(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reloadgate.live.declared import declared

    (tmp_path / ".dvc").mkdir()
    version, other = tmp_path / "models/m/1", tmp_path / "models/other/1"
    version.mkdir(parents=True)
    other.mkdir(parents=True)
    (other / "hidden.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(str(other))
    with pytest.raises(UsageError, match="from a version itself"):
        declared(Recipe(loader=None, builder=None, imports=("hidden",), code_path=()), version)
