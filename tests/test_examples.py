"""The example repositories, from end to end in clean copies: every command of their READMEs, with what it is said to say."""

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from conftest import ROOT
from documents import follow, run

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md") if path.parent.name != "hazards")


Followed = Callable[[Path], tuple[Path, int]]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """A copy of an example in which its README was followed, and how many commands that were; once each."""

    @cache
    def follow_once(example: Path) -> tuple[Path, int]:
        copy = shutil.copytree(example, tmp_path_factory.mktemp("followed") / example.name)
        return copy, follow(copy / "README.md", copy)

    return follow_once


@pytest.mark.keras
@pytest.mark.pipeline
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_does_what_it_says(example: Path, followed: Followed) -> None:
    _, ran = followed(example)
    assert ran >= 4


ELSEWHERE = {
    "pip install": "needs the network",
    "python3.11 -m venv": "needs the network",
    "../next/bin": "another environment: tests/test_sweep.py",
    "--scheduler": "a cluster: tests/test_dask.py",
    "reloadgate sign": "a key: tests/test_signing.py",
    "reloadgate init": "the README of every example",
}
"""Commands of the pages that are run by other tests, or need what a test may not have."""

HERE = {
    r"s3://my-bucket/models": "../store",
    r"(?<![\w-])(churn|digits)\b": "wine",
    r"--min-score 1": "--min-score 1 --sample 6",
    r"--thorough": "--thorough --sample 6",
    r"--sample 40": "--sample 10",
}
"""What the names of the pages are in the project of this test; and a sample for a drill."""

READY = (
    "git branch -M main && git init -q --bare ../origin && git remote add origin ../origin && git push -q origin main",
    "git tag v1.0 && git tag v1.1",
)


@pytest.mark.keras
@pytest.mark.pipeline
def test_the_commands_of_the_pages_do_what_they_are_there_for(followed: Followed, tmp_path: Path) -> None:
    """All of them, in an adopted project: what is shared and pulled first, what is verified and released then."""
    adopted, _ = followed(ROOT / "examples/dvc-project")
    project = shutil.copytree(adopted, tmp_path / "project", symlinks=True)
    for command in READY:
        assert run(command, project).returncode == 0
    ran: list[str] = []
    pages = ("s3.md", "ci.md", "pipeline.md", "drill.md", "index.md", "security.md", "upgrade.md", "dask.md")
    assert set(pages) >= {path.name for path in (ROOT / "docs").glob("*.md") if commands_of(path)}
    for page in pages:
        for command in commands_of(ROOT / "docs" / page):
            if any(part in command for part in ELSEWHERE) or command == "reloadgate drill":  # of every model: the next line's
                continue
            for there, here in HERE.items():
                command = re.sub(there, here, command)
            if command in ran:  # a version is released once
                continue
            ran.append(command)
            done = run(command, project)
            assert done.returncode == 0, f"{page}: {command} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
    assert len(ran) > 10


def commands_of(page: Path) -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [line[2:].split("#")[0].strip() for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_there_are_three() -> None:
    assert [path.name for path in EXAMPLES] == ["dvc-project", "makefile-project", "own-loader"]
