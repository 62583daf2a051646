"""Resumed steps under a distribution strategy: each replica gets its part of the rows, as in `fit`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reloadgate.evidence import EVIDENCE_DIR, read_saved
from reloadgate.verdict import Status, Verdict

pytestmark = pytest.mark.keras

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions, trained in a process of their own: how many devices there are is settled before TensorFlow begins."""
    folder = tmp_path_factory.mktemp("replicas")
    done = subprocess.run([sys.executable, HERE / "replicas.py", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_a_loss_among_the_rows_of_a_replica_is_another_on_one(folder: Path, check: Callable[..., Verdict]) -> None:
    verdict = check(folder / "others/1")
    assert verdict.status is Status.FAIL, verdict.reason
    assert "loss per step" in {f.row.subject for f in verdict.of(Status.FAIL)}


def test_rows_are_divided_and_not_counted_twice(folder: Path, check: Callable[..., Verdict]) -> None:
    verdict = check(folder / "whole/1")
    assert verdict.status is Status.PASS, verdict.reason


@pytest.mark.parametrize("name", ["others", "whole", "divided"])
def test_resumed_steps_are_those_of_fit(name: str, folder: Path) -> None:
    saved, arrays = read_saved(folder / name / "1" / EVIDENCE_DIR)
    (loss,) = [log for log in saved.observation.logs if log.name == "loss"]
    assert arrays.get(loss.values) == pytest.approx(json.loads((folder / f"{name}.json").read_text()), rel=1e-5)


def test_what_is_divided_may_have_other_last_bits(folder: Path, check: Callable[..., Verdict]) -> None:
    verdict = check(folder / "divided/1")
    assert verdict.status is Status.PASS, verdict.reason
    assert verdict.models[0].environment_changes == ("replicas: 1 → 2",)
