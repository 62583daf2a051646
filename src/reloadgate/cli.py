"""The command: argv to one verb to exit code. The only place that prints or exits.

Exit codes: 0 PASS; 1 FAIL; 2 usage or configuration; 3 UNVERIFIED or ERROR; 130 interrupted.
"""

import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reloadgate.verdict import Finding, Verdict

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A model is not saved until a fresh process has reloaded it and proved that it is the same model.",
)

Overrides = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="KEY=VALUE", help="A setting over params.yaml, such as tolerances.resume=1e-6."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.command()
def verify(
    what: Annotated[list[str] | None, typer.Argument(metavar="[PATH|NAME]...", show_default=False)] = None,
    policy: Overrides = None,
    reports: Annotated[Path | None, typer.Option(help="Folder for verdict and reports.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reload the bytes that lie there now, compare, judge and report; without arguments, every model of params.yaml."""
    from reloadgate import report
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, REPORTS, declared, read_policy, read_records
    from reloadgate.verifying import subject_of, verify_all

    folder = reports or (None if what else REPORTS / "verify")
    if folder:
        report.begin(folder, "reloadgate verify")
    settings = read_policy(policy or ())
    known = {subject.name: subject for subject in declared(read_yaml(PARAMS))} if not what or PARAMS.exists() else {}
    subjects = [known[one] if one in known else subject_of(Path(one)) for one in dict.fromkeys(what or known)]
    records = read_records() if not what else None
    comparison, verdict = verify_all(subjects, settings, records=records)
    if folder:
        report.publish(folder, verdict, comparison)
    _show(verdict, as_json)
    raise typer.Exit(verdict.exit_code)


@app.command()
def reload() -> None:
    """Reload every model of params.yaml in fresh processes; the evidence goes to reports/evidence."""
    from reloadgate import report
    from reloadgate.engine import LocalEngine
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared
    from reloadgate.reload import reload as reload_all

    report.begin(REPORTS, "reloadgate reload")
    subjects = declared(read_yaml(PARAMS))
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    reload_all(subjects, EVIDENCE, LocalEngine)
    typer.echo(f"reloaded {len(subjects)} models: {EVIDENCE}")


@app.command()
def compare() -> None:
    """Lay saved and reloaded evidence against each other: reports/comparison.json."""
    from reloadgate import report
    from reloadgate.compare import compare as compare_all
    from reloadgate.nouns import to_dict, write_json
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_records

    report.begin(REPORTS, "reloadgate compare")
    comparison = compare_all(declared(read_yaml(PARAMS)), EVIDENCE, read_records())
    report.write_loss_curve(REPORTS, comparison)
    write_json(REPORTS / "comparison.json", to_dict(comparison))
    typer.echo(f"compared {len(comparison.rows)} things of {len(comparison.models)} models: {REPORTS}/comparison.json")


@app.command()
def judge(
    policy: Overrides = None,
    expectations: Annotated[
        bool, typer.Option("--expectations", help="Hold the verdict against a Great Expectations suite of the policy.")
    ] = False,
) -> None:
    """Judge the comparison by the policy: verdict, metrics and reports. The verdict is data: this ends 0."""
    from reloadgate import report
    from reloadgate.comparison import Comparison
    from reloadgate.judge import judge as judge_all
    from reloadgate.nouns import from_dict, read_json
    from reloadgate.project import REPORTS, read_policy

    report.begin(REPORTS, "reloadgate judge")
    settings = read_policy(policy or ())
    path = REPORTS / "comparison.json"
    comparison = from_dict(Comparison, read_json(path), str(path))
    verdict = judge_all(comparison, settings)
    if expectations:
        from reloadgate.expectations import agreed, check

        verdict = agreed(verdict, check(comparison, settings))
    report.publish(REPORTS, verdict, comparison)
    typer.echo(f"judged: {verdict.status} ({verdict.reason}); {REPORTS}/{report.VERDICT}")


@app.command()
def gate(as_json: AsJson = False) -> None:
    """Judge again from the bytes that lie there now, hold the verdict on file against it, and end as it says."""
    from reloadgate import report
    from reloadgate.gate import gate as hold_gate
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_policy, read_records

    with report.on_file(REPORTS, "reloadgate gate") as verdict_file:
        gated = hold_gate(declared(read_yaml(PARAMS)), read_records(), EVIDENCE, verdict_file, read_policy())
        if gated.objections:
            report.publish(REPORTS, gated.verdict, None)
    for objection in gated.objections:
        typer.echo(f"{gated.verdict.status}: {objection}", err=True)
    _show(gated.verdict, as_json)
    raise typer.Exit(gated.verdict.exit_code)


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", show_default=False)],
    declare: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help='A custom class or function: "module:Class", or as registered, "acme>Scale".'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what artifacts are and whether they are safe to load, without TensorFlow; 1 when one is refused."""
    from reloadgate.errors import UsageError
    from reloadgate.inspection import all_findings, said
    from reloadgate.inspection import inspect as look
    from reloadgate.nouns import to_dict
    from reloadgate.project import read_limits

    for path in paths:
        if not os.path.lexists(path) and not os.path.lexists(f"{path}.index"):
            raise UsageError(f"{path}: there is no such file, directory or checkpoint")
    found = look(paths, declare or (), read_limits())
    if as_json:
        typer.echo(
            json.dumps([to_dict(one) | {"refused": one.refused} for one in found], sort_keys=True, indent=1, ensure_ascii=False)
        )
    else:
        for path, one in zip(paths, found, strict=True):
            for finding in all_findings(one):
                typer.echo(f"{'REFUSED' if finding.refused else 'NOTED'} {path}: {said(finding)}")
            typer.echo(f"{'REFUSED' if one.refused else 'ACCEPTED'} {path}: {one.summary()}")
    raise typer.Exit(1 if any(one.refused for one in found) else 0)


def _show(verdict: "Verdict", as_json: bool) -> None:
    """The verdict for people, failures first, or as one JSON document."""
    from reloadgate.nouns import to_dict
    from reloadgate.verdict import Status

    if as_json:
        typer.echo(json.dumps(to_dict(verdict), sort_keys=True, indent=1, ensure_ascii=False))
        return
    for model in verdict.models:
        bad = [f for f in model.findings if f.status in (Status.FAIL, Status.ERROR, Status.UNVERIFIED)]
        bad.sort(key=lambda finding: finding.status is not Status.FAIL)
        noted = [f for f in model.findings if f.status is Status.NOTED]
        _show_findings(model.model, bad)
        _show_findings(model.model, noted)
        passed = sum(f.status is Status.PASS for f in model.findings)
        typer.echo(f"{model.status} {model.model} ({model.version}): {passed} passed, {len(bad)} not, {len(noted)} noted")
    typer.echo(f"{verdict.status}: {verdict.reason}")


INTERRUPTED = 130

SHOWN = 3
"""Findings of one status and group that the terminal shows; the reports have them all."""


def _show_findings(model: str, findings: "list[Finding]") -> None:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.status, finding.row.group), []).append(finding)
    for (status, group), found in groups.items():
        for finding in found[:SHOWN]:
            row = finding.row
            typer.echo(f"{status} {model} {row.artifact} · {group} · {row.subject}: {finding.message}")
        if len(found) > SHOWN:
            typer.echo(f"{status} {model} · {group}: and {len(found) - SHOWN} more")
        for remedy in dict.fromkeys(finding.remedy for finding in found if finding.remedy):
            typer.echo(f"     → {remedy}")


def main() -> None:
    """Run the command and end the process; the one place where errors become exit codes."""
    from reloadgate.errors import ReloadgateError

    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
    except typer.TyperException as error:
        typer.echo(f"reloadgate: {error.format_message()}; see `reloadgate --help`", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("reloadgate: interrupted; the reports say ERROR", err=True)
        code = INTERRUPTED
    except ReloadgateError as error:
        typer.echo(f"reloadgate: {error}", err=True)
        code = error.exit_code
    except Exception:
        traceback.print_exc()
        typer.echo("reloadgate: ERROR: the checking itself broke; the reports say so", err=True)
        code = 3
    sys.exit(code if isinstance(code, int) else 0)
