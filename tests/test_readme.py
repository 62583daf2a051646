"""The README's commands, in a clone, word for word."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from conftest import ROOT
from reloadgate.probe import Probe

README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would give: the tracked files and those that are about to be, and nothing that a run left.

    Only the training is short: how good the models become when it is not, the committed reports say.
    """
    folder = tmp_path_factory.mktemp("clone") / "reloadgate"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("reports/") and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    params = folder / "params.yaml"
    params.write_text(re.sub(r"epochs: \d+", "epochs: 2", params.read_text()))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def run(command: str, clone: Path) -> subprocess.CompletedProcess[str]:
    """Run as a newcomer would: `make` sets up an environment in the clone; none of ours is on PATH."""
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != Path(sys.executable).parent)
    environment = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "VENV", "MAKEFLAGS", "MAKELEVEL")
    }
    return subprocess.run(
        ["bash", "-c", command], cwd=clone, env={**environment, "PATH": path}, capture_output=True, text=True, check=False
    )


def told_by(text: str) -> list[str]:
    """The lines that say PASS, without how many rows: a new check must not make the README wrong."""
    lines = (" ".join(line.split()) for line in text.splitlines() if re.match("PASS[ :]", line))
    return [re.sub(r"\d+ (passed|not|noted)", r"N \1", line) for line in lines]


@pytest.fixture(scope="module")
def reproduced(clone: Path) -> str:
    """What the first command says, whose end is what the README shows."""
    assert commands()[0] == "make repro"
    done = run("make repro", clone)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-3000:]
    return text


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_first_command_trains_and_shows_what_the_readme_shows(reproduced: str) -> None:
    assert "Epoch 1/" in reproduced, "progress is shown while training"
    shown, told = told_by(reproduced), told_by(README)
    assert told[-1] == "PASS: 6 PASS" and len(told) > 2
    assert [line for line in shown if line in told] == told, "the README shows lines of the table as they are"
    assert not re.search(r"cuda|absl|oneDNN", reproduced), "TensorFlow's noise is not shown"


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_other_commands_do_what_the_readme_says(reproduced: str, clone: Path) -> None:
    # `make test` is what runs this; the last one is about the reader's own model.
    _, damaging, verifying = (one for one in commands() if one not in ("make test", "reloadgate verify models/churn/1.0.0"))
    assert run(damaging, clone).returncode == 0
    assert verifying == "make verify"
    done = run(verifying, clone)
    assert done.returncode != 0
    assert "Error 1" in done.stderr
    said = " ".join(done.stdout.split())
    assert "the member fails its checksum" in said
    assert "dvc checkout --force" in said


def trainings(lock: Path) -> dict[str, dict[str, Any]]:
    """By model, the stages that train."""
    stages = yaml.safe_load(lock.read_text())["stages"]
    return {name.partition("@")[2]: stage for name, stage in stages.items() if name.startswith("train@")}


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_sample_models_are_as_good_as_they_should_be(reproduced: str, clone: Path) -> None:
    """Each with a margin over other seeds, and all far from what guessing gives.

    As the committed reports say; `dvc.lock` holds that they are of this code, these parameters and the data of the clone.
    """
    params, here = yaml.safe_load((ROOT / "params.yaml").read_text()), trainings(clone / "dvc.lock")
    found = {}
    for name, stage in trainings(ROOT / "dvc.lock").items():
        path = f"reports/train/{name}/metrics.json"
        text = (ROOT / path).read_bytes()
        assert stage["deps"] == here[name]["deps"], f"{name} is to be trained again: run `dvc repro` and commit"
        assert stage["params"] == {"params.yaml": {f"models.{name}": params["models"][name]}}
        assert hashlib.md5(text).hexdigest() in [out["md5"] for out in stage["outs"] if out["path"] == path]
        found[name] = json.loads(text)
    assert set(found) == set(params["models"])
    assert found["digits"]["accuracy"] >= 0.95
    assert found["diabetes"]["r2"] >= 0.40
    assert found["wine"]["accuracy"] >= 0.90
    assert found["parity"]["digit_accuracy"] >= 0.93
    assert found["parity"]["odd_accuracy"] >= 0.95
    assert found["languages"]["accuracy"] >= 0.50, "ten languages: guessing gives 0.1"
    assert found["languages"]["among_three"] >= 0.70
    test = Probe.read(clone / "data/prepared/weather/test.npz")
    as_today = np.abs(test.x["measures"][:, -1, 1:2] - test.y).mean()
    assert found["weather"]["degrees"] <= 0.97 * as_today, "better than forecasting that tomorrow is as today"


def test_make_help_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert targets <= set(re.findall(r"make (\w+)", shown))


def test_no_lock_file_names_an_address() -> None:
    for name in ("requirements.lock", "requirements-setup.lock"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
