"""The README's commands, in a clone, word for word."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from reloadgate.probe import Probe

README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would give: the tracked files and those that are about to be, and nothing that a run left."""
    folder = tmp_path_factory.mktemp("clone") / "reloadgate"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("reports/") and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
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


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_readmes_commands_do_what_it_says(clone: Path) -> None:
    ran = []
    for command in commands():
        if command in ("make test", "reloadgate verify models/churn/1.0.0"):
            continue  # the first is what runs this; the second is about the reader's own model
        done = run(command, clone)
        ran.append(command)
        text = done.stdout + done.stderr
        if command == "make repro":
            assert done.returncode == 0, text[-3000:]
            assert "Epoch 1/" in text, "progress is shown while training"
            shown, told = told_by(text), told_by(README)
            assert told[-1] == "PASS: 6 PASS" and len(told) > 2
            assert [line for line in shown if line in told] == told, "the README shows lines of the table as they are"
            assert not re.search(r"cuda|absl|oneDNN", text), "TensorFlow's noise is not shown"
        if command == "make verify":
            assert done.returncode != 0
            assert "reloadgate verify] Error 1" in text or "Error 1" in text
            said = " ".join(text.split())
            assert "the member fails its checksum" in said
            assert "dvc checkout --force" in said
    assert ran[0] == "make repro"
    assert ran[-1] == "make verify"


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_sample_models_are_as_good_as_they_should_be(clone: Path) -> None:
    """Each with a margin over other seeds, and all far from what guessing gives."""
    found = {path.parent.name: json.loads(path.read_text()) for path in clone.glob("reports/train/*/metrics.json")}
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
