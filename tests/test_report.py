"""Reports: ERROR first, better only at the end, in every file; numbers that survive DVC's tables; text that stays text."""

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from builders import comparison, difference, row
from reloadgate import report
from reloadgate.comparison import Comparison, Outcome, Row
from reloadgate.errors import UnwritableError
from reloadgate.evidence import Group
from reloadgate.judge import judge
from reloadgate.nouns import from_dict, read_json
from reloadgate.policy import Policy
from reloadgate.verdict import Status, Verdict

FILES = (report.VERDICT, report.METRICS, *report.PAGES)
DOING = "reloadgate judge"


def judged(*rows: Row, **model: Any) -> tuple[Verdict, Comparison]:
    compared = comparison(*rows, **model)
    return judge(compared, Policy()), compared


def published(reports: Path, *rows: Row, **model: Any) -> Verdict:
    verdict, compared = judged(*rows, **model)
    report.publish(reports, verdict, compared)
    return verdict


def contents(reports: Path) -> dict[str, bytes]:
    return {path.relative_to(reports).as_posix(): path.read_bytes() for path in reports.rglob("*") if path.is_file()}


def says_error(reports: Path) -> bool:
    """Whether every file says ERROR, and none PASS."""
    found = contents(reports)
    return all(b"ERROR" in found[name] and not re.search(rb"\bPASS\b", found[name]) for name in FILES)


# ERROR first


def test_begin_leaves_error_and_nothing_of_an_earlier_pass_in_any_file(tmp_path: Path) -> None:
    published(tmp_path)
    assert all(re.search(rb"\bPASS\b", contents(tmp_path)[name]) for name in FILES if name != "junit.xml")
    report.begin(tmp_path, DOING)
    assert set(contents(tmp_path)) == set(FILES)
    assert says_error(tmp_path)
    verdict = from_dict(Verdict, read_json(tmp_path / report.VERDICT))
    assert (verdict.status, verdict.models, verdict.exit_code) == (Status.ERROR, (), 3)
    assert DOING in verdict.reason
    assert read_json(tmp_path / report.METRICS) == {"status": "ERROR", "models": {}}
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.tests, suite.errors) == (1, 1)


def test_begin_makes_the_folder_and_can_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        report.begin(tmp_path / "reports", DOING)
    assert set(contents(tmp_path / "reports")) == set(FILES)


@pytest.mark.parametrize("broken", FILES)
def test_a_report_that_cannot_be_written_leaves_the_verdict_at_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    published(tmp_path)
    report.begin(tmp_path, DOING)

    def full_disk(write: Callable[[Path, Any], None]) -> Callable[[Path, Any], None]:
        def fail(path: Path, data: Any) -> None:
            if path.name == broken:
                raise OSError(28, "No space left on device")
            write(path, data)

        return fail

    for name in ("write_json", "write_atomically"):
        monkeypatch.setattr(report, name, full_disk(getattr(report, name)))
    with pytest.raises(UnwritableError, match="No space left"):
        published(tmp_path)
    assert read_json(tmp_path / report.VERDICT)["status"] == "ERROR"
    assert {name for name in contents(tmp_path) if "/" not in name} == {report.VERDICT}, "no report is left that could say PASS"


# Published


@pytest.mark.parametrize("outcome", [Outcome.SAME, Outcome.BROKEN, Outcome.UNCHECKED, Outcome.DIFFERS])
def test_every_file_says_the_same(tmp_path: Path, outcome: Outcome) -> None:
    verdict = published(tmp_path, row(Group.PREDICTIONS, outcome, detail="what it means"))
    status = str(verdict.status)
    assert from_dict(Verdict, read_json(tmp_path / report.VERDICT)) == verdict
    assert read_json(tmp_path / report.METRICS)["status"] == status
    assert (tmp_path / "report.md").read_text().startswith(f"# reloadgate: {status}\n")
    assert f"<title>reloadgate: {status}</title>" in (tmp_path / "report.html").read_text()
    for finding in verdict.of(Status.FAIL, Status.UNVERIFIED):
        for page in report.PAGES:
            assert finding.remedy.split("`")[0] in (tmp_path / page).read_text(), page


def test_publishing_twice_gives_the_same_bytes_and_leaves_nothing_of_another_verdict(tmp_path: Path) -> None:
    published(tmp_path / "once")
    published(tmp_path / "again", row(Group.LOAD, Outcome.BROKEN, detail="it does not load"))
    assert b"it does not load" in contents(tmp_path / "again")["report.html"]
    for _ in range(2):
        published(tmp_path / "again")
        assert contents(tmp_path / "again") == contents(tmp_path / "once")


def test_junit_has_a_case_for_every_finding_and_counts_what_failed(tmp_path: Path) -> None:
    rows = [row(Group.LOAD, Outcome.BROKEN), row(Group.WEIGHTS, Outcome.MISSING), row(Group.RESUME, Outcome.UNCHECKED)]
    verdict = published(tmp_path, *rows, row(Group.ROUND_TRIP, Outcome.SKIPPED))
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.tests, suite.failures, suite.errors) == (len(verdict.findings), 2, 1)
    assert suite.skipped == len(verdict.of(Status.SKIPPED)) == 2
    cases = {case.name: case for case in suite}
    assert [result.type for result in cases["load: the load"].result] == ["FAIL"]
    assert cases["load: the load"].classname == "digits.model.keras"


@pytest.mark.parametrize("name", ["verdict.json", "junit.xml"])
def test_a_verdict_about_no_model_says_so(tmp_path: Path, name: str) -> None:
    compared = replace(comparison(), models=())
    report.publish(tmp_path, judge(compared, Policy()), compared)
    assert b"no model was looked at" in contents(tmp_path)[name]
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert suite.errors == 1


def test_what_the_gate_objects_to_is_no_pass_in_junit(tmp_path: Path) -> None:
    verdict, compared = judged()
    report.publish(tmp_path, replace(verdict, status=Status.ERROR, reason="somebody edited it"), compared)
    suites = list(JUnitXml.fromfile(str(tmp_path / "junit.xml")))
    assert sum(suite.errors + suite.failures for suite in suites) > 0


def test_what_the_gate_objects_to_stands_in_the_reports(tmp_path: Path) -> None:
    verdict, compared = judged()
    report.publish(tmp_path, replace(verdict, status=Status.ERROR, reason="somebody <edited> it; and so on"), compared)
    assert read_json(tmp_path / report.VERDICT)["reason"] == "somebody <edited> it; and so on"
    for name in FILES[:4]:
        assert b"ERROR" in contents(tmp_path)[name]
    assert b"somebody &lt;edited&gt; it" in contents(tmp_path)["report.html"]


# Text stays text

HOSTILE = "<script>alert('|')</script>\n\n# a | b"


def test_html_shows_markup_as_text(tmp_path: Path) -> None:
    published(
        tmp_path, row(Group.LOAD, Outcome.BROKEN, subject=HOSTILE, detail=HOSTILE, seen=HOSTILE), model=HOSTILE, version=HOSTILE
    )
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert next(iter(suite)).name.startswith("load: <script>")


def test_a_markdown_table_keeps_its_columns_whatever_a_cell_says(tmp_path: Path) -> None:
    published(tmp_path, row(Group.LOAD, Outcome.BROKEN, subject=HOSTILE, detail=HOSTILE))
    (line,) = [line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("| FAIL")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 5


FORGED = "x --> | `b | <!-- | [PASS](https://x) <td>`` <script>` **PASS** __PASS__ ~~y~~ &lt;"


def test_markup_in_markdown_is_text(tmp_path: Path) -> None:
    rows = [row(group, Outcome.BROKEN, subject=FORGED, detail=FORGED) for group in (Group.LOAD, Group.WEIGHTS)]
    published(tmp_path, *rows, model=FORGED, version=FORGED)
    told = re.sub(r"\n<!-- verdict.json: \w+ -->\n$", "", (tmp_path / "report.md").read_text())
    plain = re.sub(r"(?<![`\\])`[^`]+`(?!`)", "", re.sub(r"\\[\W_]", "", told))
    assert "&amp;lt;" in plain
    for markup in ("<", "](", "**", "__", "~", "`"):
        assert markup not in plain, markup


def test_ordinary_names_and_remedies_read_in_markdown_as_they_are(tmp_path: Path) -> None:
    said = "dense_1/kernel is (3, 4), not [None, 4]: register `Scale_1` with `@keras.x(package='a')`, as acme>Scale; R&D"
    published(tmp_path, row(Group.LOAD, Outcome.BROKEN, subject="layers/dense_1/vars/0", seen=said))
    told = (tmp_path / "report.md").read_text()
    assert said in told
    assert "layers/dense_1/vars/0" in told


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\u202e", "\x1b[31m"])
def test_no_page_holds_what_is_not_shown(tmp_path: Path, character: str) -> None:
    name = f"a{character}b"
    published(tmp_path, row(Group.LOAD, Outcome.BROKEN, subject=name, artifact=name, seen=name), model=name, version=name)
    for page in report.PAGES:
        assert character not in (tmp_path / page).read_text(), page


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\ufffe"])
def test_junit_is_xml_whatever_a_message_says(tmp_path: Path, character: str) -> None:
    published(tmp_path, row(Group.LOAD, Outcome.BROKEN, seen=f"{character}[31mred"))
    assert len(list(JUnitXml.fromfile(str(tmp_path / "junit.xml")))) == 1


# Metrics


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (0.0, 99.0),
        (1e-7, 7.0),
        (1.25e-7, 6.903),
        (1.0, 0.0),
        (1000.0, -3.0),
        (5e-324, 99.0),
        (1e300, -99.0),
        (math.inf, -99.0),
        (math.nan, -99.0),
        (None, -99.0),
    ],
)
def test_a_magnitude_is_said_in_digits(difference: float | None, said: float) -> None:
    assert report.digits(difference) == said


def test_metrics_count_what_dvc_compares_between_commits() -> None:
    drift = {"difference": difference(1e-5, max_ulp=12), "flips": 2}
    verdict, compared = judged(
        row(Group.PREDICTIONS, Outcome.DIFFERS, **drift),
        row(Group.PREDICTIONS),
        row(Group.WEIGHTS, Outcome.MISSING),
        row(Group.WEIGHTS, Outcome.SWAPPED),
        row(Group.ASSETS),
        row(Group.OPTIMIZER, Outcome.EXTRA),
        row(Group.RANDOM_STATE, Outcome.LOST),
        row(Group.RESUME, Outcome.DIFFERS, subject="loss per step", difference=difference(1e-3)),
        row(Group.RESUME, Outcome.CHANGED, subject="something else"),
    )
    figures = report.metrics(verdict, compared)["models"]["digits"]
    assert figures["drift"] == {"max_abs_digits": 5.0, "max_ulp": 12, "flips": 2}
    assert figures["variables"] == {"missing": 1, "different": 1, "same": 1}
    assert figures["slots"] == {"missing": 1, "different": 0, "same": 0}
    assert (figures["resumed_loss_digits"], figures["random_state_lost"]) == (3.0, 1)
    assert (figures["bytes"], figures["reload_seconds"]) == (20, 1.5)
    assert figures["failed"] == len(verdict.of(Status.FAIL))
    assert figures["passed"] == len(verdict.of(Status.PASS))


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (row(Group.PREDICTIONS, Outcome.CHANGED, seen="NaN"),),
        (row(Group.PREDICTIONS, Outcome.DIFFERS, difference=difference(5e-324)),),
        (row(Group.RESUME, Outcome.MISSING, subject="loss per step"),),
    ],
    ids=["same", "NaN", "tiny", "missing"],
)
def test_metrics_are_json_without_nan(tmp_path: Path, rows: tuple[Row, ...]) -> None:
    published(tmp_path, *rows)
    text = (tmp_path / report.METRICS).read_text()
    assert json.loads(text, parse_constant=pytest.fail)["models"]["digits"]["drift"]["max_abs_digits"] in (99.0, -99.0)


def test_predictions_of_which_nothing_can_be_said_are_not_99_digits() -> None:
    for outcome in (Outcome.CHANGED, Outcome.MISSING, Outcome.UNCHECKED):
        verdict, compared = judged(row(Group.PREDICTIONS, outcome))
        assert report.metrics(verdict, compared)["models"]["digits"]["drift"]["max_abs_digits"] == -99.0


def test_the_loss_curve_has_a_row_a_step(tmp_path: Path) -> None:
    report.write_loss_curve(tmp_path, comparison())
    assert (tmp_path / report.LOSS_CURVE).read_text().splitlines() == [
        "model,artifact,run,step,loss",
        "digits,model.keras,reloaded,1,0.9",
        "digits,model.keras,reloaded,2,",
        "digits,model.keras,uninterrupted,1,0.9",
        "digits,model.keras,uninterrupted,2,0.8",
    ]


def test_the_loss_curve_is_csv_whatever_a_model_is_called(tmp_path: Path) -> None:
    report.write_loss_curve(tmp_path, comparison(model='a, "b"'))
    lines = list(csv.reader((tmp_path / report.LOSS_CURVE).read_text().splitlines()))
    assert {len(line) for line in lines} == {5}


# The gate


def test_the_gate_sees_the_verdict_while_all_files_say_error_and_they_come_back_bit_for_bit(tmp_path: Path) -> None:
    published(tmp_path)
    before = contents(tmp_path)
    with report.on_file(tmp_path, "reloadgate gate") as copy:
        assert copy.read_bytes() == before[report.VERDICT]
        assert says_error(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_gate_that_breaks_leaves_error(tmp_path: Path, error: type[BaseException]) -> None:
    published(tmp_path)
    with pytest.raises(error), report.on_file(tmp_path, "reloadgate gate"):
        raise error
    assert says_error(tmp_path)


def test_what_the_gate_published_itself_stands(tmp_path: Path) -> None:
    verdict = published(tmp_path)
    with report.on_file(tmp_path, "reloadgate gate"):
        report.publish(tmp_path, replace(verdict, status=Status.UNVERIFIED, reason="other bytes"), None)
    assert read_json(tmp_path / report.VERDICT)["reason"] == "other bytes"
    assert read_json(tmp_path / report.METRICS)["status"] == "UNVERIFIED"


def test_data_docs_are_gone_while_a_command_runs_and_come_back_with_the_gate(tmp_path: Path) -> None:
    published(tmp_path)
    (tmp_path / report.DOCS).mkdir()
    (tmp_path / report.DOCS / "index.html").write_text("a PASS")
    with report.on_file(tmp_path, "reloadgate gate"):
        assert not (tmp_path / report.DOCS).exists()
    assert (tmp_path / report.DOCS / "index.html").read_text() == "a PASS"
    report.begin(tmp_path, "reloadgate judge")
    assert not (tmp_path / report.DOCS).exists()


def test_a_gate_without_a_verdict_on_file_leaves_error(tmp_path: Path) -> None:
    with report.on_file(tmp_path, "reloadgate gate") as copy:
        assert not copy.exists()
    assert says_error(tmp_path)


def test_a_verdict_comes_back_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(tmp_path)
    written = []
    with report.on_file(tmp_path, "reloadgate gate"):
        monkeypatch.setattr(report, "write_atomically", lambda path, data: written.append(path.name))
    assert set(written) == set(FILES)
    assert written[-1] == report.VERDICT
