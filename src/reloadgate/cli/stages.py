"""Commands that a pipeline runs one after the other: reload, compare, judge, gate."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reloadgate.cli.app import (
    AsJson,
    EngineKindOption,
    Overrides,
    Quiet,
    Scheduler,
    app,
    begin,
    begun,
    engine_settings,
    examples,
    show,
    watching,
)

if TYPE_CHECKING:
    from reloadgate.engine import EngineSettings
    from reloadgate.reuse import Store

DVC_TMP = Path(".dvc/tmp")


@app.command()
def reload(
    fresh: Annotated[bool, typer.Option("--fresh", help="Reload also what has not changed since the last time.")] = False,
    engine: EngineKindOption = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Reload every model of params.yaml that changed, in fresh processes; the evidence goes to reports/evidence."""
    from reloadgate.engine import engine_for
    from reloadgate.policy import OwnLoader, read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_limits, read_policy
    from reloadgate.reload import reload as reload_all

    begin(REPORTS, "reloadgate reload")
    subjects, settings, inspecting = declared(read_yaml(PARAMS)), engine_settings(engine, scheduler), read_limits()
    strict, store = read_policy().own_loader == OwnLoader.STRICT, _store(settings, fresh)
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    with watching(quiet) as watch:
        reloaded = list(reload_all(subjects, EVIDENCE, engine_for(settings), settings.limits, watch, store, strict, inspecting))
    typer.echo(f"reloaded {len(reloaded)} models: {EVIDENCE}")


def _store(settings: "EngineSettings", fresh: bool) -> "Store | None":
    """Kept evidence lies where DVC keeps what is its own; none where another machine or environment reloads."""
    from reloadgate.engine.jobs import EngineKind
    from reloadgate.reuse import Store

    elsewhere = settings.kind is not EngineKind.LOCAL or settings.python is not None
    return None if fresh or elsewhere or not DVC_TMP.is_dir() else Store(DVC_TMP / "reloadgate/evidence")


@app.command()
def compare() -> None:
    """Lay saved and reloaded evidence against each other: reports/comparison.json."""
    from reloadgate import report
    from reloadgate.compare import compare as compare_all
    from reloadgate.nouns import to_dict, write_json
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_records

    begin(REPORTS, "reloadgate compare")
    comparison = compare_all(declared(read_yaml(PARAMS)), EVIDENCE, read_records())
    report.write_loss_curve(REPORTS, comparison)
    write_json(REPORTS / "comparison.json", to_dict(comparison))
    typer.echo(f"compared {len(comparison.rows)} things of {len(comparison.models)} models: {REPORTS}/comparison.json")


@app.command(epilog=examples("judge", "judge --policy random_state=artifact --policy flips=1"))
def judge(
    policy: Overrides = None,
    expectations: Annotated[
        bool, typer.Option("--expectations", help="Hold the verdict against a Great Expectations suite of the policy; Data Docs.")
    ] = False,
) -> None:
    """Judge the comparison by the policy: verdict, metrics and reports. The verdict is data: this ends 0."""
    from reloadgate import report
    from reloadgate.comparison import Comparison
    from reloadgate.errors import UnreadableRecordError
    from reloadgate.judge import judge as judge_all
    from reloadgate.nouns import read_record
    from reloadgate.project import EVIDENCE, REPORTS, read_policy
    from reloadgate.remote import with_remote
    from reloadgate.suites import with_suites

    begin(REPORTS, "reloadgate judge")
    settings = read_policy(policy or ())
    path = REPORTS / "comparison.json"
    if not path.exists():
        raise UnreadableRecordError(f"{path} is missing: run `reloadgate compare` first, or `dvc repro`")
    comparison = with_suites(with_remote(read_record(Comparison, path), settings), settings)
    verdict = judge_all(comparison, settings)
    if expectations:
        from reloadgate.expectations import agreed, check

        verdict = agreed(verdict, check(comparison, settings, REPORTS / report.DOCS))
    report.publish(REPORTS, verdict, comparison, EVIDENCE)
    typer.echo(f"judged: {verdict.status} ({verdict.reason}); {REPORTS}/{report.VERDICT}")


@app.command()
def gate(as_json: AsJson = False) -> None:
    """Judge again from the bytes that lie there now, hold the verdict on file against it, and end as it says."""
    from reloadgate import report
    from reloadgate.gate import gate as hold_gate
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_policy, read_records

    told = report.are_of_verdict(REPORTS)
    with report.on_file(REPORTS, "reloadgate gate") as verdict_file:
        begun.append(REPORTS)
        gated = hold_gate(declared(read_yaml(PARAMS)), read_records(), EVIDENCE, verdict_file, read_policy())
        if gated.objections:
            report.publish(REPORTS, gated.verdict, None)
        elif gated.outdated or not told:
            report.publish(REPORTS, gated.verdict, gated.comparison, EVIDENCE)
    for objection in gated.objections:
        typer.echo(f"{gated.verdict.status}: {objection}", err=True)
    show(gated.verdict, as_json, REPORTS)
    raise typer.Exit(gated.verdict.exit_code)
