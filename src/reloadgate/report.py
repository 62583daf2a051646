"""What a run leaves for people and tools: verdict, metrics, Markdown, HTML and JUnit.

`begin` sets all of them to ERROR before any work; `publish` makes each better at the end, by an atomic rename. A crash, a
kill or a full disk can therefore not leave an earlier PASS in any of them.
"""

import csv
import hashlib
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reloadgate.comparison import Comparison, ModelComparison, Outcome, Row
from reloadgate.errors import UnwritableError
from reloadgate.evidence import Group
from reloadgate.files import remove_abandoned, scratch, write_atomically
from reloadgate.nouns import SCHEMA_VERSION, indented, to_dict, write_json
from reloadgate.policy import Policy
from reloadgate.text import one_line
from reloadgate.verdict import ModelVerdict, Status, Verdict, worst, worst_first

if TYPE_CHECKING:
    from reloadgate.drift import Drift

VERDICT = "verdict.json"
METRICS = "metrics.json"
LOSS_CURVE = "plots/resume.csv"
PAGES = ("report.md", "report.html", "junit.xml")

DOCS = "docs"
"""The folder of Great Expectations' Data Docs, where they were asked for."""

MARKDOWN_ROWS = 30
"""Findings a model that the Markdown has room for: a comment on a pull request takes 65,536 characters."""


def begin(reports: Path, doing: str) -> None:
    """Set verdict, metrics and every report to ERROR: `doing` has begun, and has not ended.

    The pages are plain text in their own syntax, because the gate does this too and must not wait for a template engine.

    Raises:
        UnwritableError: they cannot be written; none of them is there then, where they can be removed.
    """
    with all_or_none(reports, VERDICT, METRICS, *PAGES):
        _set_to_error(reports, doing)


@contextmanager
def all_or_none(reports: Path, *names: str) -> Iterator[None]:
    """Where one cannot be written, none of these reports is left: what cannot be set to ERROR must not say PASS.

    Raises:
        UnwritableError: in place of the OSError.
    """
    try:
        yield
    except OSError as error:
        for name in names:
            with suppress(OSError):  # of a file system that takes no change, or of no folder at all
                (reports / name).unlink(missing_ok=True)
        told = f"no reports can be written to {reports} ({error}): it must be a folder that takes files, on a disk with room"
        raise UnwritableError(told) from None


def _set_to_error(reports: Path, doing: str) -> None:
    for folder in (reports, (reports / LOSS_CURVE).parent):
        remove_abandoned(folder)
    reason = f"`{doing}` began and came to no end: it is running, was stopped, refused a setting, or broke"
    verdict = Verdict(schema_version=SCHEMA_VERSION, status=Status.ERROR, reason=reason, policy=Policy(), models=())
    write_json(reports / VERDICT, to_dict(verdict))
    write_json(reports / METRICS, {"status": str(Status.ERROR), "models": {}})
    shutil.rmtree(reports / DOCS, ignore_errors=True)
    pages = (
        f"# reloadgate: ERROR\n\n{reason}\n",
        "<!doctype html><html lang=en><meta charset=utf-8><title>reloadgate: ERROR</title>"
        f"<h1>ERROR</h1><p>{reason}</p></html>\n",
        '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="reloadgate" tests="1" errors="1"><testsuite name="reloadgate" '
        f'tests="1" errors="1"><testcase name="verdict" classname="reloadgate"><error type="ERROR">{reason}</error></testcase>'
        "</testsuite></testsuites>\n",
    )
    for name, text in zip(PAGES, pages, strict=True):
        write_atomically(reports / name, text.encode())


def publish(
    reports: Path,
    verdict: Verdict,
    comparison: Comparison | None,
    evidence: Path | None = None,
    drifts: "Sequence[Drift]" = (),
) -> None:
    """Write every report of a verdict; the verdict itself last, so that a PASS on file has its reports beside it.

    Args:
        evidence: the folder that `reload` wrote, for pictures and the environment; the page says less without.
        drifts: how far the versions are from those of another revision, where that was asked.

    Raises:
        UnwritableError: they cannot be written; then the verdict that `begin` wrote is all that is there.
    """
    from reloadgate.page import html

    told = indented(to_dict(verdict))
    pages = (_markdown(verdict, drifts).encode(), html(verdict, comparison, evidence, drifts).encode(), _junit(verdict))
    with all_or_none(reports, METRICS, *PAGES):
        write_json(reports / METRICS, metrics(verdict, comparison, drifts))
        for name, page in zip(PAGES, pages, strict=True):
            write_atomically(reports / name, page + _mark(told))
        write_atomically(reports / VERDICT, told)


def are_of_verdict(reports: Path) -> bool:
    """Whether the pages are there and tell of the verdict on file: git keeps none of them, and checks out other verdicts."""
    if not all((reports / name).is_file() for name in (VERDICT, *PAGES)):
        return False
    mark = _mark((reports / VERDICT).read_bytes())
    return all((reports / name).read_bytes().endswith(mark) for name in PAGES)


def _mark(verdict: bytes) -> bytes:
    """A comment, in Markdown, HTML and XML alike."""
    return f"\n<!-- {VERDICT}: {hashlib.sha256(verdict).hexdigest()} -->\n".encode()


@contextmanager
def on_file(reports: Path, doing: str) -> Iterator[Path]:
    """The verdict on file as a copy to read, while all reports say ERROR; the same bytes lie there again afterwards.

    The gate writes nothing of its own, and yet a gate that is killed leaves no PASS. Where the block published a verdict of
    its own, that one stands.
    """
    names = (VERDICT, METRICS, *PAGES)
    before = {name: (reports / name).read_bytes() for name in names if (reports / name).is_file()}
    docs, aside = reports / DOCS, reports / f".{DOCS}-aside"
    shutil.rmtree(aside, ignore_errors=True)
    with all_or_none(reports, *names):
        if docs.is_dir():
            docs.rename(aside)
    begin(reports, doing)
    marker = (reports / VERDICT).read_bytes()
    with scratch("gate") as folder:
        copy = folder / VERDICT
        if VERDICT in before:
            copy.write_bytes(before[VERDICT])
        yield copy
    if (reports / VERDICT).read_bytes() == marker:
        if aside.is_dir():
            aside.rename(docs)
        for name in sorted(before, key=lambda name: name == VERDICT):
            write_atomically(reports / name, before[name])
    shutil.rmtree(aside, ignore_errors=True)


def write_loss_curve(reports: Path, comparison: Comparison) -> None:
    """The resumed losses as DVC plots them: a row a step, `uninterrupted` and `reloaded` beside each other."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("model", "artifact", "run", "step", "loss"))
    for model in comparison.models:
        for facts in model.artifacts:
            for run, losses in sorted(facts.losses.items()):
                writer.writerows((model.model, facts.artifact, run, step, loss) for step, loss in enumerate(losses, 1))
    write_atomically(reports / LOSS_CURVE, stream.getvalue().encode())


def _markdown(verdict: Verdict, drifts: "Sequence[Drift]") -> str:
    """For a pull request: as short as what is to say allows, and never more than GitHub takes."""
    from reloadgate.page import template

    page: str = template("report.md").render(
        verdict=verdict, models=worst_first(verdict.models), Status=Status, shown=MARKDOWN_ROWS, drifts=drifts,
        count=lambda model, status: sum(finding.status is status for finding in model.findings),
    )  # fmt: skip
    return page


def _junit(verdict: Verdict) -> bytes:
    """A suite a model, a case a row: FAIL is a failure, UNVERIFIED and ERROR are errors."""
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    xml = JUnitXml("reloadgate")
    kinds = {Status.FAIL: Failure, Status.UNVERIFIED: Error, Status.ERROR: Error, Status.SKIPPED: Skipped}
    for model in verdict.models:
        suite, cases = TestSuite(one_line(model.model)), []
        for finding in model.findings:
            row = finding.row
            place = one_line(f"{model.model}.{row.artifact or 'version'}")
            case = TestCase(one_line(f"{row.group}: {row.subject}"), classname=place)
            if finding.status in kinds:
                case.result = [kinds[finding.status](one_line(f"{finding.message} {finding.remedy}"), str(finding.status))]
            cases.append(case)
        suite.add_testcases(cases)
        xml.add_testsuite(suite)
    if not verdict.models or verdict.status is not worst({model.status for model in verdict.models}):
        # The whole is worse than its models: the judge and the suite disagree, or the gate objects.
        suite, case = TestSuite("reloadgate"), TestCase("verdict", classname="reloadgate")
        case.result = [Error(one_line(verdict.reason), str(verdict.status))]
        suite.add_testcase(case)
        xml.add_testsuite(suite)
    buffer = BytesIO()
    xml.write(buffer, pretty=True)
    return buffer.getvalue()


# Metrics


def metrics(verdict: Verdict, comparison: Comparison | None, drifts: "Sequence[Drift]" = ()) -> dict[str, Any]:
    """Per model what DVC compares between commits: no NaN, and magnitudes that survive five decimals."""
    past = {drift.model: {"against": _drift_metrics(drift)} for drift in drifts}
    compared = {model.model: model for model in comparison.models} if comparison else {}
    return {
        "status": str(verdict.status),
        "models": {
            model.model: _model_metrics(model, compared.get(model.model)) | past.get(model.model, {}) for model in verdict.models
        },
    }


def _drift_metrics(drift: "Drift") -> dict[str, Any]:
    """What can be told of it; a figure that cannot is left out."""
    figures = {
        "revision": drift.revision,
        "unknown": drift.unknown or drift.no_churn or None,
        "churn": drift.churn,
        "max_abs_digits": None if drift.largest is None else digits(drift.largest),
        "weights_different": None if drift.unknown else len(drift.variables),
        "bytes_then": drift.bytes[0],
        "reload_seconds_then": drift.reload_seconds[0],
    }
    return {name: value for name, value in figures.items() if value is not None}


def _model_metrics(verdict: ModelVerdict, compared: ModelComparison | None) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "status": str(verdict.status),
        "failed": sum(f.status is Status.FAIL for f in verdict.findings),
        "unverified": sum(f.status in (Status.UNVERIFIED, Status.ERROR) for f in verdict.findings),
        "passed": sum(f.status is Status.PASS for f in verdict.findings),
    }
    if compared is None:
        return figures
    predictions = [row for row in compared.rows if row.group is Group.PREDICTIONS]
    resumed = [row for row in compared.rows if row.group is Group.RESUME and row.subject == "loss per step"]
    return figures | {
        "drift": {
            "max_abs_digits": digits(_largest(predictions)),
            "max_ulp": max((r.difference.max_ulp or 0 for r in predictions if r.difference), default=0),
            "flips": sum(row.flips or 0 for row in predictions),
        },
        "variables": _counts(compared.rows, Group.WEIGHTS, Group.ASSETS),
        "slots": _counts(compared.rows, Group.OPTIMIZER),
        "resumed_loss_digits": digits(_largest(resumed)),
        "random_state_lost": sum(row.outcome is Outcome.LOST for row in compared.rows),
        "bytes": sum(facts.bytes for facts in compared.artifacts),
        "reload_seconds": round(sum(facts.reload_seconds for facts in compared.artifacts), 2),
    }


def _counts(rows: tuple[Row, ...], *groups: Group) -> dict[str, int]:
    mine = [row for row in rows if row.group in groups]
    lost = (Outcome.MISSING, Outcome.EXTRA)
    return {
        "missing": sum(row.outcome in lost for row in mine),
        "different": sum(row.outcome in (Outcome.DIFFERS, Outcome.CHANGED, Outcome.SWAPPED) for row in mine),
        "same": sum(row.outcome is Outcome.SAME for row in mine),
    }


def _largest(rows: list[Row]) -> float | None:
    """Largest difference among rows; infinite where one cannot be measured, None where nothing was compared."""
    if not any(row.outcome in (Outcome.SAME, Outcome.DIFFERS, Outcome.CHANGED, Outcome.MISSING) for row in rows):
        return None
    if any(row.outcome in (Outcome.CHANGED, Outcome.MISSING) for row in rows):
        return math.inf
    return max((row.difference.max_abs for row in rows if row.difference), default=0.0)


def digits(difference: float | None) -> float:
    """−log10 of a difference, between -99 and 99: 99 for the same bits, 6 for 1e-6, -99 where nothing can be said.

    DVC's tables round to five decimals, where 1e-7 would read 0.0.
    """
    if difference is None or math.isinf(difference):
        return -99.0
    return 99.0 if difference == 0 else round(min(99.0, max(-99.0, -math.log10(difference))), 3)
