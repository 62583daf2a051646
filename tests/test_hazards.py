"""The catalogue of hazards: every one does today what it says, and the gate answers it by the row that it names.

All versions are made by one process and reloaded by one engine, in a project of their own.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from examples.hazards import NAMES
from reloadgate.engine import LocalEngine
from reloadgate.policy import Policy
from reloadgate.verdict import ModelVerdict, Status
from reloadgate.verifying import subject_of, verify_all

CATALOGUE = ROOT / "examples/hazards"


def told(name: str) -> dict[str, Any]:
    """What a module says of its hazard, without importing it: it would import TensorFlow."""
    module = ast.parse((CATALOGUE / f"{name}.py").read_text())
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
        if node.targets[0].id in ("FROM", "TODAY", "SILENT", "ROW", "REMEDY")
    }
    return {"TITLE": (ast.get_docstring(module) or "").splitlines()[0], **constants}


def index() -> str:
    """The README's table, in the order of the articles."""
    lines = ["| from | hazard | today | silent | row | remedy |", "|---|---|---|---|---|---|"]
    for name, says in sorted(((name, told(name)) for name in NAMES), key=lambda one: (one[1]["FROM"], one[0])):
        silent = "yes" if says["SILENT"] else "no"
        title = f"[{says['TITLE']}]({name}.py)"
        lines.append(f"| {says['FROM']} | {title} | {says['TODAY']} | {silent} | {says['ROW']} | {says['REMEDY']} |")
    return "\n".join(lines)


def test_the_index_says_what_the_modules_say() -> None:
    assert index() in (CATALOGUE / "README.md").read_text()


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> dict[str, ModelVerdict]:
    """Every twin of every hazard, by `<name>/<twin>`; under the default policy."""
    project = tmp_path_factory.mktemp("catalogue")
    shutil.copytree(CATALOGUE, project / "examples/hazards", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    command = [sys.executable, "-m", "examples.hazards"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    made = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    paths = [project / "models" / name / twin for name in NAMES for twin in ("hazard", "healthy")]
    _, verdict = verify_all([subject_of(path) for path in paths], Policy(), engine)
    shutil.rmtree((project / "models/temporary_place/hazard").resolve().parent)
    return {"/".join(Path(model.model).parts[-2:]): model for model in verdict.models}


@pytest.mark.keras
@pytest.mark.pipeline
@pytest.mark.parametrize("name", NAMES)
def test_the_gate_answers_the_hazard_and_passes_its_healthy_twin(name: str, verdicts: dict[str, ModelVerdict]) -> None:
    lost, healthy = verdicts[f"{name}/hazard"], verdicts[f"{name}/healthy"]
    assert lost.status is Status.FAIL
    assert told(name)["ROW"] in {str(f.row.group) for f in lost.findings if f.status is Status.FAIL}
    assert healthy.status is Status.PASS, [f.message for f in healthy.findings if f.status is not Status.PASS]
