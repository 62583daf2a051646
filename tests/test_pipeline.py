"""The pipeline's own stages under DVC: what runs when, what fails, and what is left behind.

Training is played by a script that puts a version of the fixture `trained` in place; everything after it is the real
`dvc.yaml`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from damages import ARTIFACT_DAMAGES, TO_DIGESTS, reseal
from reloadgate.report import METRICS, PAGES, VERDICT

pytestmark = [pytest.mark.keras, pytest.mark.pipeline]

TRAIN = """
import shutil, sys
from pathlib import Path
from reloadgate.project import write_record
from reloadgate.nouns import write_json
name, version = sys.argv[1:]
shutil.copytree(Path("sources") / name, Path("models") / name / version)
write_record(Path("models") / name / version, Path("reports/versions"))
"""


class Project:
    """A git and DVC repository with the real stages after training."""

    def __init__(self, root: Path, sources: dict[str, Path]) -> None:
        self.root = root
        for name, version in sources.items():
            shutil.copytree(version, root / "sources" / name)
        for name in ("requirements.lock", ".gitignore", ".dvcignore", ".dvc/config"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "src/reloadgate", root / "src/reloadgate", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "train.py").write_text(TRAIN)
        pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
        del pipeline["stages"]["prepare"], pipeline["artifacts"]
        pipeline["stages"]["train"]["do"] = {
            "cmd": "python train.py ${key} ${item.version}",
            "deps": ["sources/${key}"],
            "outs": ["models/${key}/${item.version}", {"reports/versions/${key}.json": {"cache": False}}],
        }
        (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
        policy = yaml.safe_load((ROOT / "params.yaml").read_text())["policy"]
        self.write_params({"models": {name: {"version": "1.0.0"} for name in sources}, "policy": policy})
        for command in ("git init -q", "git config user.name t", "git config user.email t@t.invalid"):
            self.run(command)

    def copy(self, root: Path) -> "Project":
        project = object.__new__(Project)
        project.root = Path(shutil.copytree(self.root, root, symlinks=True))
        return project

    def write_params(self, params: dict[str, Any]) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump(params))

    def params(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.root / "params.yaml").read_text()))

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command.split(), cwd=self.root, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )

    def repro(self) -> tuple[int, list[str], str]:
        """Exit code, the stages that ran, and all that was printed."""
        done = self.run("dvc repro")
        ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
        return done.returncode, ran, done.stdout + done.stderr

    def verdict(self) -> dict[str, Any]:
        return dict(json.loads((self.root / "reports" / VERDICT).read_text()))

    def statuses(self) -> dict[str, str]:
        return {model["model"]: model["status"] for model in self.verdict()["models"]}

    def commit(self, message: str) -> None:
        self.run("git add -A")
        done = self.run(f"git commit -q -m {message}")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def healthy(trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two healthy models; reproduced once and committed."""
    project = Project(tmp_path_factory.mktemp("healthy"), trained)
    code, ran, text = project.repro()
    assert code == 0, text
    assert set(ran) == {"train@digits", "train@diabetes", "reload", "compare", "judge", "gate"}
    project.commit("healthy")
    return project


@pytest.fixture
def copied(healthy: Project, tmp_path: Path) -> Project:
    """A copy of the healthy project that a test may break."""
    return healthy.copy(tmp_path / "project")


def test_a_second_run_does_nothing_but_the_gate(healthy: Project) -> None:
    code, ran, text = healthy.repro()
    assert (code, ran) == (0, ["gate"]), text
    assert healthy.run("git status --porcelain").stdout == ""


def test_tensorflows_noise_is_nowhere(healthy: Project) -> None:
    done = healthy.run("reloadgate gate")
    assert done.stderr == ""
    assert "cuda" not in done.stdout.lower()


def test_git_tracks_records_metrics_and_verdict_and_no_binaries(healthy: Project) -> None:
    tracked = healthy.run("git ls-files").stdout.split()
    assert {"reports/verdict.json", "reports/metrics.json", "reports/versions/digits.json", "dvc.lock"} <= set(tracked)
    assert not [name for name in tracked if name.startswith(("models/", "reports/evidence")) or name.endswith(".html")]


def test_a_changed_tolerance_judges_again_and_reloads_nothing(copied: Project) -> None:
    params = copied.params()
    params["policy"]["tolerances"]["resume"] = 1e-7
    copied.write_params(params)
    code, ran, text = copied.repro()
    assert (code, ran) == (0, ["judge", "gate"]), text


def test_a_changed_lock_file_verifies_everything_again(copied: Project) -> None:
    with (copied.root / "requirements.lock").open("a") as lock:
        lock.write("# another environment\n")
    code, ran, text = copied.repro()
    assert (code, ran[0]) == (0, "reload"), text
    assert "train@digits" not in ran


@pytest.mark.parametrize("what", TO_DIGESTS)
def test_the_gate_refuses_bytes_that_were_damaged_after_the_reload(what: str, copied: Project) -> None:
    name, damage, _, _ = ARTIFACT_DAMAGES[what]
    damage(copied.root / "models" / name / "1.0.0")
    done = copied.run("reloadgate gate")
    assert done.returncode == 3
    assert f"models/{name}/1.0.0/model.keras is not the file that was reloaded" in done.stderr
    assert copied.verdict()["status"] != "PASS"


def test_damage_that_was_committed_with_dvc_commit_fails(copied: Project) -> None:
    ARTIFACT_DAMAGES["all moments zeroed"][1](copied.root / "models/digits/1.0.0")
    assert copied.run("dvc commit -f").returncode == 0
    code, ran, text = copied.repro()
    assert code != 0, text
    assert ran[-1] == "gate"


def _trained_otherwise(copied: Project) -> None:
    """The next training gives another model, whose optimizer was lost as it was saved."""
    source = copied.root / "sources/digits"
    ARTIFACT_DAMAGES["all moments zeroed"][1](source)
    reseal(source)


@pytest.fixture(scope="module")
def failing(healthy: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The healthy project, reproduced after another training. Never change it: copy."""
    project = healthy.copy(tmp_path_factory.mktemp("failing") / "project")
    _trained_otherwise(project)
    code, _, text = project.repro()
    assert code != 0, text
    return project


def test_a_frozen_reload_leaves_the_gate_to_tell(copied: Project) -> None:
    _trained_otherwise(copied)
    assert copied.run("dvc freeze reload").returncode == 0
    code, ran, text = copied.repro()
    assert "reload" not in ran
    assert (code != 0, ran[-1]) == (True, "gate"), text
    assert "the reload looked at other evidence" in " ".join(text.split())


def test_an_earlier_verdict_out_of_the_run_cache_is_not_believed(failing: Project, tmp_path: Path) -> None:
    """The verdict that DVC brings back is the one of before the damage: its inputs are those of before."""
    copied = failing.copy(tmp_path / "project")
    stages = ("reload", "compare", "judge")
    (copied.root / "dvc.lock").write_text(copied.run("git show HEAD:dvc.lock").stdout)
    assert copied.run(f"dvc checkout --force {' '.join(stages)}").returncode == 0
    copied.run("git checkout -q HEAD -- reports")
    assert copied.verdict()["status"] == "PASS"
    assert copied.run("reloadgate gate").returncode in (1, 3)
    assert copied.verdict()["status"] != "PASS"


def test_a_model_that_is_missing_and_allowed_to_be_does_not_pass(copied: Project) -> None:
    """`dvc repro --allow-missing` on a clean clone takes what is not there for up to date."""
    shutil.rmtree(copied.root / "models/digits/1.0.0")
    shutil.rmtree(copied.root / ".dvc/cache")
    done = copied.run("dvc repro --allow-missing")
    assert done.returncode != 0
    assert "Running stage 'gate'" in done.stdout, done.stdout + done.stderr
    assert "Running stage 'train@digits'" not in done.stdout


def test_yesterdays_evidence_with_todays_model_is_unverified(copied: Project) -> None:
    version = copied.root / "models/digits/1.0.0"
    ARTIFACT_DAMAGES["one weight moved by 1e-3"][1](version)
    reseal(version)
    assert copied.run("python -c __import__('reloadgate.project').project.write_record"
                      "(__import__('pathlib').Path('models/digits/1.0.0'),__import__('pathlib').Path('reports/versions'))"
                      ).returncode == 0  # fmt: skip
    done = copied.run("reloadgate gate")
    assert done.returncode == 3
    assert "the reload looked at other evidence" in " ".join(done.stdout.split())


def test_a_model_without_a_record_is_unverified(copied: Project) -> None:
    params = copied.params()
    params["models"]["wine"] = {"version": "1.0.0"}
    copied.write_params(params)
    done = copied.run("reloadgate gate")
    assert done.returncode == 3
    assert "names the model wine, and training left no record of it" in done.stderr


def test_a_killed_reload_leaves_error_everywhere(copied: Project, tmp_path: Path) -> None:
    """The reload is held inside a user's loader by a FIFO, so that it is killed at work and nowhere else."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    version = copied.root / "models/held/1.0.0"
    version.mkdir(parents=True)
    (copied.root / "held.py").write_text(
        f"import signal\ndef load(directory):\n    open({str(ready)!r}, 'w').close()\n    signal.pause()\n"
    )
    _record_held(copied.root, version)
    params = copied.params()
    params["models"]["held"] = {"version": "1.0.0"}
    copied.write_params(params)
    before = (copied.root / "reports" / "report.html").read_text()
    assert "PASS" in before
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    reload = subprocess.Popen(["reloadgate", "reload"], cwd=copied.root, env=environment, start_new_session=True)
    with ready.open():  # returns when the child is inside the loader
        os.killpg(reload.pid, signal.SIGKILL)
    reload.wait()
    assert copied.verdict()["status"] == "ERROR"
    assert json.loads((copied.root / "reports" / METRICS).read_text())["status"] == "ERROR"
    for page in PAGES:
        text = (copied.root / "reports" / page).read_text()
        assert "ERROR" in text
        assert "PASS" not in text
    assert copied.run("reloadgate gate").returncode == 3


def _record_held(root: Path, version: Path) -> None:
    """Evidence for a version whose loader holds still: taken from a sample model's, under that loader."""
    from dataclasses import replace

    from reloadgate.evidence import EVIDENCE_DIR, Artifact, Capability, FormatName, Recipe, read_saved, write_evidence

    shutil.copytree(root / "models/digits/1.0.0", version, dirs_exist_ok=True)
    saved, _ = read_saved(version / EVIDENCE_DIR)
    recipe = Recipe(loader="held:load", builder=None, imports=(), code_path=(".",))
    artifact = Artifact(format=FormatName.OWN, path=".", capability=Capability.RESUME)
    write_evidence(version / EVIDENCE_DIR, replace(saved, artifacts=(artifact,), recipe=recipe))


@pytest.fixture(scope="module")
def damaged(trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every artifact damage as a model of its own, as if its training stage had saved it so; reproduced once."""
    folder = tmp_path_factory.mktemp("damages")
    sources = {"healthy": trained["digits"]}
    for number, (name, damage, _, _) in enumerate(ARTIFACT_DAMAGES.values()):
        for other in trained:
            shutil.copytree(trained[other], folder / str(number) / other / "1")
        version = folder / str(number) / name / "1"
        damage(version)
        reseal(version)
        sources[f"damage{number:02}"] = version
    project = Project(tmp_path_factory.mktemp("damaged"), sources)
    project.first = project.repro()  # type: ignore[attr-defined]
    return project


def test_every_damage_that_training_produced_fails_the_pipeline(damaged: Project) -> None:
    code, _, text = damaged.first  # type: ignore[attr-defined]
    assert code != 0
    assert "reloadgate gate, exited with 1" in text
    expected = {f"damage{number:02}": "FAIL" for number in range(len(ARTIFACT_DAMAGES))} | {"healthy": "PASS"}
    assert damaged.statuses() == expected


def test_a_failing_gate_leaves_its_reports_and_metrics(damaged: Project) -> None:
    assert damaged.verdict()["status"] == "FAIL"
    assert "came back as zeros" in (damaged.root / "reports/report.md").read_text()
    shown = json.loads(damaged.run("dvc metrics show --json").stdout)
    models = next(iter(shown.values()))["data"]["reports/metrics.json"]["data"]["models"]
    zeroed = f"damage{list(ARTIFACT_DAMAGES).index('all moments zeroed'):02}"
    assert models["healthy"]["drift"]["max_abs_digits"] == 99
    assert models[zeroed]["slots"]["different"] >= 8
    assert -99 < models[zeroed]["resumed_loss_digits"] < 6


def test_dvc_commit_after_a_failure_does_not_turn_it_green(damaged: Project) -> None:
    assert damaged.run("dvc commit -f").returncode == 0
    code, _, text = damaged.repro()
    assert code != 0
    assert "reloadgate gate, exited with 1" in text


def test_a_verdict_edited_to_pass_does_not_help(damaged: Project) -> None:
    path = damaged.root / "reports" / VERDICT
    kept = path.read_text()
    path.write_text(kept.replace('"FAIL"', '"PASS"'))
    done = damaged.run("reloadgate gate")
    path.write_text(kept)
    assert done.returncode == 1
    assert "judging again says FAIL" in done.stderr


def test_metrics_and_plots_compare_a_failing_commit_with_a_passing_one(failing: Project, tmp_path: Path) -> None:
    copied = failing.copy(tmp_path / "project")
    copied.commit("failing")
    difference = json.loads(copied.run("dvc metrics diff HEAD~1 HEAD --json").stdout)["reports/metrics.json"]
    assert difference["models.digits.resumed_loss_digits"]["old"] == 99
    assert difference["models.digits.status"] == {"old": "PASS", "new": "FAIL"}
    plots = copied.run("dvc plots diff HEAD~1 --json")
    assert plots.returncode == 0, plots.stderr
    assert "resume" in plots.stdout
