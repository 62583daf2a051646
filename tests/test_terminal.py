"""The table at the end of `verify` and `gate`: failures first, in 80 columns, with what to do; and the help."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from builders import ENCODER, build, comparison, row
from reloadgate.cli import app
from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import Group
from reloadgate.judge import judge
from reloadgate.policy import Policy
from reloadgate.project import RECORDS
from reloadgate.terminal import SHOWN, WIDTH, show
from reloadgate.verdict import Status, Verdict

Shown = Callable[..., str]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def printed(verdict: Verdict, pages: str = "") -> str:
        show(verdict, pages)
        return capsys.readouterr().out

    return printed


def verdict(*rows: Row, **model: Any) -> Verdict:
    return judge(comparison(*rows, **model), Policy())


def cells(text: str) -> str:
    """The text with the table's line breaks taken out."""
    return " ".join(text.split())


HOSTILE = "[red]a[/red] :smile: \x1b[31m" + "layers/" * 60


@pytest.mark.parametrize("columns", [None, "200", "80", "60"])
def test_no_line_is_wider_than_the_terminal_nor_than_80_columns(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    text = shown(verdict(row(Group.LOAD, Outcome.BROKEN, subject=HOSTILE, detail=HOSTILE), model=HOSTILE, version=HOSTILE))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= min(WIDTH, int(columns or WIDTH))
    assert "\x1b" not in text
    assert "[red]a[/red]:smile:" in "".join(text.split())


def test_failures_come_first_whatever_the_order_of_models_and_rows(shown: Shown) -> None:
    good = verdict(row(Group.RANDOM_STATE, Outcome.LOST))
    unsure = verdict(row(Group.RESUME, Outcome.UNCHECKED), model="unsure")
    bad = verdict(row(Group.RESUME, Outcome.UNCHECKED), row(Group.WEIGHTS, Outcome.MISSING), model="bad")
    text = shown(replace(good, status=Status.FAIL, models=(*good.models, *unsure.models, *bad.models)))
    models = [line.split()[:2] for line in text.splitlines() if "models/" in line]
    assert models == [["FAIL", "bad"], ["UNVERIFIED", "unsure"], ["PASS", "digits"]]
    verdicts = [line.split()[0] for line in text.splitlines() if re.match("[A-Z]{4}", line)]
    assert verdicts == ["FAIL", "FAIL", "UNVERIFIED", "UNVERIFIED", "UNVERIFIED", "PASS", "NOTED", "FAIL:"]


@pytest.mark.parametrize("outcome", [Outcome.BROKEN, Outcome.UNCHECKED])
def test_what_does_not_pass_has_its_remedy_and_what_passes_has_none(shown: Shown, outcome: Outcome) -> None:
    judged = verdict(row(Group.WEIGHTS, outcome, detail="what it means"))
    (finding,) = judged.of(Status.FAIL, Status.UNVERIFIED)
    text = cells(shown(judged))
    assert "the weights (model.keras): what it means" in text
    assert f"→ {finding.remedy}" in text
    assert text.count("→") == 1


def test_of_many_alike_a_few_are_shown_and_the_rest_counted(shown: Shown) -> None:
    rows = [row(Group.WEIGHTS, Outcome.MISSING, subject=f"layer {number}") for number in range(10)]
    text = cells(shown(verdict(*rows)))
    assert [number for number in range(10) if f"layer {number} " in text] == list(range(SHOWN))
    assert "and 7 more" in text
    assert text.count("→") == 1


def test_what_is_found_in_several_artifacts_is_told_once(shown: Shown) -> None:
    one = row(Group.INTEGRITY, Outcome.CHANGED, subject="model.keras", detail="not the bytes that were saved")
    text = cells(shown(verdict(one, replace(one, artifact="checkpoint"))))
    assert "model.keras (model.keras, checkpoint): not the bytes that were saved" in text
    assert text.count("not the bytes") == 1


def test_groups_that_nothing_was_looked_at_of_take_one_row(shown: Shown) -> None:
    text = shown(verdict(row(Group.LOAD, Outcome.BROKEN), whole=False))
    assert cells(text).count("not looked at") == 1
    assert "structure, weights" in cells(text)


def test_the_report_is_named_and_the_last_line_is_the_verdict(shown: Shown) -> None:
    place = "a folder/" + "deep/" * 30 + "report.html"
    lines = shown(verdict(), place).splitlines()
    assert lines[-2:] == [f"report: {place}", "PASS: 1 PASS"]
    assert shown(replace(verdict(), models=(), reason="no model was looked at")).splitlines() == ["PASS: no model was looked at"]


PRINT = """
import sys
sys.path.insert(0, {tests!r})
from test_terminal import verdict
from reloadgate.project import RECORDS
from reloadgate.terminal import show
show(verdict())
"""


@pytest.mark.parametrize(
    ("settings", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_and_no_color_is_honoured(settings: dict[str, str], coloured: bool) -> None:
    code = PRINT.format(tests=str(Path(__file__).parent))
    environment = {"PATH": "", "TERM": "xterm-256color", **settings}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert bool(re.search(r"\x1b\[\d*;?3\dm", done.stdout)) == coloured


# The help


COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009


def examples(command: str) -> list[str]:
    return re.findall(r"^  reloadgate (.+)$", COMMANDS[command].epilog or "", re.MULTILINE)


def test_the_examples_of_the_help_are_commands_that_exist() -> None:
    shown = [example for name in COMMANDS for example in examples(name)]
    shown += re.findall(r"^  reloadgate (.+)$", str(app.info.epilog), re.MULTILINE)
    assert len(shown) > 5
    for example in shown:
        name, *arguments = shlex.split(example)
        COMMANDS[name].make_context(name, arguments)


def test_verify_and_judge_show_how_they_are_called() -> None:
    for name in ("verify", "judge"):
        assert examples(name)


def test_the_shell_completes_the_names_of_models(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("models: {digits: {version: 1.0.0}, diabetes: {version: 1.0.0}, wine: {version: 1}}\n")
    asked = {"_RELOADGATE_COMPLETE": "complete_bash", "COMP_WORDS": "reloadgate verify di", "COMP_CWORD": "2"}
    command = [sys.executable, "-c", "import sys; sys.argv = ['reloadgate']; from reloadgate.cli import main; main()"]
    done = subprocess.run(command, env={"PATH": "", **asked}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["digits", "diabetes"]
    assert done.stderr == ""


def test_a_terminal_without_arrows_gets_its_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("models: {digits: {version: 1.0.0}}\n")
    build(Path(), changed={f"before/{ENCODER}": np.ones((4, 3), np.float32)}).record(RECORDS)
    environment = {"PATH": "", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "reloadgate", "gate"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "? the file holds other weights" in cells(done.stdout)
