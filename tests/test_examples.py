"""The example repositories, from end to end in clean copies: every command of their READMEs, with what it is said to say."""

import shutil
from pathlib import Path

import pytest

from conftest import ROOT
from documents import follow

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md") if path.parent.name != "hazards")


@pytest.mark.keras
@pytest.mark.pipeline
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_does_what_it_says(example: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(example, tmp_path / example.name)
    assert follow(copy / "README.md", copy) >= 4


def test_there_are_three() -> None:
    assert [path.name for path in EXAMPLES] == ["dvc-project", "makefile-project", "own-loader"]
