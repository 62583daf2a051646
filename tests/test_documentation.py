"""The documentation: it builds without the network, asks nobody for anything, and what it says to type is understood."""

import ast
import dataclasses
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml

import reloadgate
from conftest import ROOT
from reloadgate.cli import app
from reloadgate.engine import EngineSettings
from reloadgate.evidence import Group
from reloadgate.inspection import Limits
from reloadgate.page import explanations
from reloadgate.policy import Policy, policy_from
from reloadgate.settings import strictly

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
COMMAND = typer.main.get_command(app)


def blocks(kind: str) -> list[tuple[str, str]]:
    """Every block of a kind, with the page that it stands in."""
    pattern = re.compile(rf"^```{kind}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [(page.relative_to(ROOT).as_posix(), block) for page in PAGES for block in pattern.findall(page.read_text())]


def test_every_module_has_an_owner() -> None:
    package, named = ROOT / "src/reloadgate", set[Path]()
    for line in (ROOT / "docs/files.md").read_text().splitlines():
        folder = package
        for name in re.findall(r"`([^`]+)`", line.split("|")[1] if line.startswith("|") else ""):
            name = name.removeprefix("src/reloadgate/")
            named |= {package / name, folder / name}
            folder = (package / name).parent if "/" in name else folder
    for path in package.rglob("*.py"):
        if ast.parse(path.read_text()).body[1:]:  # more than what it is for
            assert not named.isdisjoint({path, *path.parents} - {package}), f"docs/files.md says nothing of {path}"


def test_every_section_of_settings_is_shown() -> None:
    shown = set(re.findall(r"^::: (\S+)$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    for section in (Policy, EngineSettings, Limits):
        within = [one for field in dataclasses.fields(section) for one in (field.type, *get_args(field.type))]
        for noun in (section, *filter(dataclasses.is_dataclass, within)):
            assert f"{noun.__module__}.{noun.__qualname__}" in shown


def test_every_command_that_is_shown_is_one_with_these_arguments() -> None:
    lines = [(page, line[2:]) for page, block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    calls = [(page, part) for page, line in lines for part in line.split("#")[0].split("&&") if "reloadgate " in part]
    checked = 0
    for page, call in calls:
        name, *arguments = shlex.split(call)
        if name == "reloadgate":
            verb, *rest = arguments
            assert verb in COMMAND.commands, f"{page}: {call}"  # type: ignore[attr-defined]
            COMMAND.commands[verb].make_context(verb, rest)  # type: ignore[attr-defined]
            checked += 1
    assert checked > 15


@pytest.mark.keras
def test_every_call_that_is_shown_has_arguments_that_there_are() -> None:
    checked = 0
    for _, block in blocks("python"):
        for call in (node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)):
            function = call.func
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "reloadgate":
                signature = inspect.signature(getattr(reloadgate, function.attr))
                named: dict[str, Any] = {one.arg: None for one in call.keywords if one.arg}
                signature.bind(*call.args, **named)
                checked += 1
    assert checked > 5


def test_every_setting_that_is_shown_is_one() -> None:
    checked = 0
    for page, block in blocks("yaml"):
        settings = yaml.safe_load(block) or {}
        if "policy" in settings:
            policy_from(settings["policy"])
            checked += 1
        if "engine" in settings:
            strictly(EngineSettings, settings["engine"], page)
            checked += 1
    assert checked > 2


def test_every_group_is_explained_by_name() -> None:
    assert list(explanations()) == [str(group) for group in Group]
    assert all(len(paragraphs) >= 2 for paragraphs in explanations().values()), "what it is, and what mends it"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds; every proxy leads nowhere."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"}, check=True,
    )  # fmt: skip
    return folder


@pytest.mark.pipeline
def test_no_page_asks_another_address_for_anything(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text()
        fetched = re.findall(r'<(?:script|link|img|iframe|source)[^>]*?(?:src|href)="([^"]*)"', text)
        assert fetched
        assert not [address for address in fetched if re.match(r"(https?:)?//", address)], page.name


@pytest.mark.pipeline
def test_commands_groups_and_functions_have_their_place(site: Path) -> None:
    ids = {
        page: set(re.findall(r' id="([^"]+)"', (site / page).read_text()))
        for page in ("commands.html", "findings.html", "python.html")
    }
    assert set(COMMAND.commands) <= ids["commands.html"]  # type: ignore[attr-defined]
    assert {str(group).replace(" ", "-") for group in Group} <= ids["findings.html"]
    assert "reloadgate.recording.save" in ids["python.html"]
    assert "Raises" in (site / "python.html").read_text()
