"""Versions of other revisions and in other environments: what a checkout would have, without touching the workspace."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from builders import build
from reloadgate import revisions
from reloadgate.comparison import Comparison
from reloadgate.engine import EngineSettings, LocalEngine
from reloadgate.engine.other import NEEDED
from reloadgate.errors import UsageError
from reloadgate.evidence import EVIDENCE_DIR, read_saved
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.policy import Policy, policy_from
from reloadgate.progress import Watch
from reloadgate.project import Subject, pipeline_root
from reloadgate.revisions import check_out, commits, tags
from reloadgate.sweep import sweep
from reloadgate.verifying import verify_all

LAYER = """
import keras

@keras.saving.register_keras_serializable(package="sweep")
class Scale(keras.layers.Layer):
    def call(self, x):
        return x * {factor}
"""
PARAMS = "models:\n  scaled: {{version: {version}}}\n"
VERSION = Path("models/scaled/1.0.0")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(tag: str, **files: str) -> None:
    for name, text in files.items():
        Path(name.replace("_py", ".py").replace("_yaml", ".yaml")).write_text(text)
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", tag)
    run("git", "tag", tag)


@pytest.fixture
def project(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose tags hold: nothing yet; a model; the same; the same with other code; a version that is lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    dvc = (sys.executable, "-m", "dvc")
    run("git", "init", "-q")
    run(*dvc, "init", "-q")
    commit("empty", scaled_py=LAYER.format(factor=2))
    import scaled  # type: ignore[import-not-found]

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), scaled.Scale(), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x = np.linspace(0, 1, 8, dtype=np.float32).reshape(4, 2)
    reloadgate.save(model, VERSION, probe=(x, x[:, :1]), imports=("scaled",), location="any", steps=0)
    run(*dvc, "add", "-q", VERSION.as_posix())
    commit("one", params_yaml=PARAMS.format(version="1.0.0"))
    commit("two", README="the model and its code are the same")
    commit("three", scaled_py=LAYER.format(factor=3))
    (tmp_path / "models/scaled/2.0.0").mkdir()
    (tmp_path / "models/scaled/2.0.0/model.keras").write_bytes(b"never in a remote")
    cached = set(tmp_path.glob(".dvc/cache/**/*"))
    run(*dvc, "add", "-q", "models/scaled/2.0.0")
    commit("four", params_yaml=PARAMS.format(version="2.0.0"))
    for path in {*tmp_path.glob(".dvc/cache/**/*")} - cached:
        if path.is_file():
            path.unlink()
    shutil.rmtree("models/scaled/1.0.0")
    return tmp_path


@pytest.mark.keras
def test_every_distinct_version_of_other_revisions_is_verified_with_the_code_of_its_revision(
    project: Path, engine: LocalEngine
) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git" not in path.parts and path.is_file()}
    assert sorted(tags(project)) == ["empty", "four", "one", "three", "two"]
    assert len(commits(project)) == 5
    policy = policy_from({"requires": {"version": "infer"}})
    comparison, verdict = sweep(["empty", "one", "two", "three", "four"], (), policy, EngineSettings(), Watch())
    assert {model.model: model.status for model in verdict.models} == {
        "scaled@one": "PASS",
        "scaled@three": "FAIL",
        "scaled@four": "UNVERIFIED",
    }
    assert [model.version for model in comparison.models] == [
        "models/scaled/1.0.0 of one",
        "models/scaled/1.0.0 of three",
        "models/scaled/2.0.0 of four",
    ]
    assert {f.row.group for f in verdict.of("FAIL")} >= {"predictions"}  # type: ignore[arg-type]
    assert any("models/scaled/2.0.0" in f.message for f in verdict.of("UNVERIFIED"))  # type: ignore[arg-type]
    after = {path: path.stat().st_mtime_ns for path in project.rglob("*") if ".git" not in path.parts and path.is_file()}
    assert {path for path in {*before, *after} if before.get(path) != after.get(path)} <= {
        path for path in after if "tmp" in path.parts
    }
    assert not list((project / ".dvc/tmp/reloadgate").iterdir())


@pytest.mark.pipeline
def test_a_project_below_the_repositorys_root_is_swept_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dvc = (sys.executable, "-m", "dvc")
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q")
    run(*dvc, "init", "-q")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    version = build(Path()).subject.directory
    run(*dvc, "add", "-q", version.as_posix())
    commit("one", params_yaml="models:\n  digits: {version: 1.0.0}\n  lost: {version: 1.0.0}\n")
    shutil.rmtree("models")
    found = {}

    def look(subjects: list[Subject], *_: Any, **__: Any) -> tuple[Comparison, None]:
        found.update({subject.name: read_saved(subject.directory / EVIDENCE_DIR)[0] for subject in subjects})
        assert all(pipeline_root(subject.directory) == subject.directory.parents[2] for subject in subjects)
        return Comparison(schema_version=SCHEMA_VERSION, models=()), None

    monkeypatch.setattr("reloadgate.sweep.verify_all", look)
    comparison, _ = sweep(["one"], (), Policy(), EngineSettings(), Watch())
    assert list(found) == ["digits@one"]
    assert [(model.model, model.version) for model in comparison.models] == [("lost@one", "models/lost/1.0.0 of one")]


def test_a_revision_is_checked_out_as_git_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not as it archives: all that is tracked, as it was committed, links that lead out of it too, below any folder."""
    root = tmp_path / "sub"
    root.mkdir()
    monkeypatch.chdir(root)
    run("git", "init", "-q", str(tmp_path))
    (root / "link").symlink_to("/nowhere")
    attributes = "left_out.py export-ignore\nfilled.py export-subst\nlines.txt eol=crlf\n"
    commit("one", left_out_py="", filled_py="$Format:%H$", **{".gitattributes": attributes, "lines.txt": "a\n"})
    commit("two", left_out_py="another", **{".gitattributes": "", "later": ""})
    before = run("git", "status", "--porcelain")
    for repository, into, below in ((tmp_path, tmp_path / "whole", "sub"), (root, tmp_path / "part", ".")):
        check_out(repository, "one", into)
        folder = into / below
        assert {path.name for path in folder.iterdir()} - {".dvc"} == {
            ".gitattributes", "left_out.py", "filled.py", "lines.txt", "link",
        }  # fmt: skip
        assert (folder / "left_out.py").read_text() == ""
        assert (folder / "filled.py").read_text() == "$Format:%H$"
        assert (folder / "lines.txt").read_bytes() == b"a\r\n", "by the attributes of the revision"
        assert (folder / "link").readlink() == Path("/nowhere")
    shutil.rmtree(tmp_path / "whole")
    shutil.rmtree(tmp_path / "part")
    assert run("git", "status", "--porcelain") == before


def test_what_cannot_be_swept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swept(*revisions: str) -> None:
        sweep(revisions, (), Policy(), EngineSettings(), Watch())

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="in no repository"):
        swept("HEAD")
    run("git", "init", "-q")
    commit("empty", README="no models")
    with pytest.raises(UsageError, match="none of these revisions"):
        swept("empty")
    with pytest.raises(UsageError, match="git knows no revision"):
        swept("nonsense")


def test_of_a_shallow_clone_it_is_said_that_it_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q", "whole")
    monkeypatch.chdir("whole")
    commit("one", README="1")
    commit("two", README="2")
    run("git", "clone", "-q", "--depth", "1", Path.cwd().as_uri(), "../part")
    with pytest.raises(UsageError, match="git fetch --unshallow"):
        revisions.commit(Path("../part"), "HEAD~1")
    with pytest.raises(UsageError, match=r"no revision 'HEAD~9' in [^,]*$"):
        revisions.commit(Path(), "HEAD~9")


# Another environment


def other_environment(folder: Path, *packages: str) -> Path:
    """An interpreter that sees this environment's packages, and before them those given here."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin/python"
    uv = Path(sys.executable).with_name("uv")
    run(str(uv), "--directory", str(folder), "pip", "install", "--quiet", "--no-deps", "--python", str(python), *packages)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "this.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.mark.keras
def test_a_reload_in_another_environment_says_what_is_another_and_which_versions_survive(
    keras: Any, trained: dict[str, Path], anywhere: Policy, tmp_path: Path
) -> None:
    from reloadgate.project import Subject

    python = other_environment(tmp_path / "other", "keras==3.15.0")
    subjects = [Subject(name=name, path=str(path)) for name, path in trained.items()]
    comparison, verdict = verify_all(subjects, anywhere, settings=EngineSettings(python=str(python)))
    for model in comparison.models:
        assert [facts.environment_changes for facts in model.artifacts] == [(f"keras: {keras.__version__} → 3.15.0",)]
    failed = [f"{f.row.group} {f.row.subject}: {f.message}" for f in verdict.of("FAIL", "UNVERIFIED")]  # type: ignore[arg-type]
    assert {model.model: model.status for model in verdict.models} == dict.fromkeys(trained, "PASS"), failed


def test_an_environment_that_lacks_what_a_reload_needs_is_refused_with_what_to_install(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare"))
    (tmp_path / "model.keras").touch()
    python = str(tmp_path / "bare/bin/python")
    with pytest.raises(UsageError) as refused:
        verify_all([reloadgate.verifying.subject_of(tmp_path / "model.keras")], Policy(), settings=EngineSettings(python=python))
    assert f"{python} -m pip install {' '.join(NEEDED.values())}" in str(refused.value)


@pytest.mark.parametrize("python", ["/nowhere/python", shutil.which("true") or os.devnull])
def test_what_is_no_python_is_refused(tmp_path: Path, python: str) -> None:
    (tmp_path / "model.keras").touch()
    with pytest.raises(UsageError, match="is no Python"):
        verify_all([reloadgate.verifying.subject_of(tmp_path / "model.keras")], Policy(), settings=EngineSettings(python=python))
