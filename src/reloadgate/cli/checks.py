"""Commands that look at model versions: verify, inspect, drill."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from reloadgate.cli.app import (
    AsJson,
    EngineKindOption,
    Overrides,
    Python,
    Quiet,
    Scheduler,
    app,
    begin,
    begun,
    engine_settings,
    examples,
    model_names,
    show,
    subjects_named,
    watching,
)


@app.command(
    epilog=examples(
        "verify",
        "verify digits --policy tolerances.resume=1e-6",
        "verify --against v1.0",
        "verify models/churn/1.0.0 --reports reports/churn",
        "verify model.keras --json",
    )
)
def verify(
    what: Annotated[list[str] | None, typer.Argument(metavar="PATH|NAME", show_default=False, autocompletion=model_names)] = None,
    policy: Overrides = None,
    reports: Annotated[Path | None, typer.Option(help="Folder for verdict and reports.")] = None,
    rev: Annotated[list[str] | None, typer.Option("--rev", metavar="REV", help="The models of another git revision.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="Say how far each model is from its version in another revision.")
    ] = None,
    all_tags: Annotated[bool, typer.Option("--all-tags", help="The models of every tag.")] = False,
    all_commits: Annotated[bool, typer.Option("--all-commits", help="The models of every commit.")] = False,
    engine: EngineKindOption = None,
    scheduler: Scheduler = None,
    python: Python = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Reload the bytes that lie there now, compare, judge and report; without arguments, every model of params.yaml."""
    from reloadgate import drift, report
    from reloadgate.project import REPORTS, read_limits, read_policy, read_records
    from reloadgate.revisions import commit
    from reloadgate.sweep import sweep
    from reloadgate.terminal import show_drifts
    from reloadgate.verifying import verify_all

    others = bool(rev) or all_tags or all_commits
    if others and against:
        raise typer.BadParameter("--against compares what lies here, and not the versions of other revisions")
    if against:
        commit(Path(), against)  # an unknown one is said before anything is reloaded
    folder = reports or (None if what or others else REPORTS / "verify")
    if folder:
        begin(folder, "reloadgate verify")
    settings, where, limits = read_policy(policy or ()), engine_settings(engine, scheduler, python), read_limits()
    evidence = folder / "evidence" if folder and not others else None
    drifts: tuple[drift.Drift, ...] = ()
    with watching(quiet or as_json) as watch:
        if others:
            comparison, verdict = sweep(_revisions(rev or [], all_tags, all_commits), what or (), settings, where, watch, limits)
        else:
            records = read_records() if not what else None
            subjects = subjects_named(what)
            comparison, verdict = verify_all(
                subjects, settings, records=records, evidence=evidence, settings=where, inspecting=limits, watch=watch
            )
            drifts = drift.against(against, subjects, comparison) if against else ()
    if folder:
        report.publish(folder, verdict, comparison, evidence, drifts)
    show(verdict, as_json, folder)
    if not as_json:
        show_drifts(drifts)
    raise typer.Exit(verdict.exit_code)


def _revisions(named: list[str], all_tags: bool, all_commits: bool) -> list[str]:
    from reloadgate.revisions import commits, tags

    return [*named, *(tags(Path()) if all_tags else ()), *(commits(Path()) if all_commits else ())]


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
    from reloadgate.inspection import all_findings
    from reloadgate.inspection import inspect as look
    from reloadgate.nouns import to_dict
    from reloadgate.project import read_limits
    from reloadgate.text import one_line

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
            findings = all_findings(one)
            for finding in findings:
                said = f"{finding.place}: {finding.message} [{finding.code}]"
                typer.echo(f"{'REFUSED' if finding.refused else 'NOTED'} {one_line(path)} · {said}")
            for remedy in dict.fromkeys(finding.remedy for finding in findings if finding.remedy):
                typer.echo(f"     → {remedy}")
            typer.echo(f"{'REFUSED' if one.refused else 'ACCEPTED'} {one_line(path)}: {one.summary()}")
    raise typer.Exit(1 if any(one.refused for one in found) else 0)


@app.command(
    epilog=examples(
        "drill", "drill churn --min-score 0.95", "drill models/churn/1.0.0 --sample 40", "drill --policy tolerances.weights=1e-6"
    )
)
def drill(
    what: Annotated[list[str] | None, typer.Argument(metavar="PATH|NAME", show_default=False, autocompletion=model_names)] = None,
    policy: Overrides = None,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Damages to try of each version; default: all.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="End 1 if a smaller share is caught.")] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Tell what each group of checks alone catches.")] = False,
    reports: Annotated[Path | None, typer.Option(help="Folder for metrics and page.")] = None,
    engine: EngineKindOption = None,
    scheduler: Scheduler = None,
    python: Python = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Damage copies of model versions, and see which damages the gate would let through; nothing of the versions changes."""
    from reloadgate.drill import report
    from reloadgate.drill.running import drill as run_drill
    from reloadgate.nouns import to_dict
    from reloadgate.project import REPORTS, read_limits, read_policy, read_records
    from reloadgate.terminal import show_drill
    from reloadgate.verdict import EXIT_CODES

    folder = reports or (None if what else REPORTS)
    if folder:
        report.begin(folder)
        begun.append(folder)
    settings, where, limits = read_policy(policy or ()), engine_settings(engine, scheduler, python), read_limits()
    with watching(quiet or as_json) as watch:
        found = run_drill(
            subjects_named(what),
            settings,
            where,
            records=read_records(),
            sample=sample,
            min_score=min_score,
            thorough=thorough,
            inspecting=limits,
            watch=watch,
        )
    if folder:
        report.publish(folder, found)
    if as_json:
        typer.echo(json.dumps(to_dict(found), sort_keys=True, indent=1, ensure_ascii=False))
    else:
        show_drill(found, report.areas(found), (folder / report.PAGE).as_posix() if folder else "")
    raise typer.Exit(EXIT_CODES[found.status])
