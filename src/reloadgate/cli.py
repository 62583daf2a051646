"""The command: argv to one verb to exit code. The only place that prints or exits.

Exit codes: 0 PASS; 1 FAIL; 2 usage or configuration; 3 UNVERIFIED or ERROR; 130 interrupted.
"""

import errno
import json
import os
import shutil
import sys
import traceback
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from reloadgate.engine import EngineSettings
    from reloadgate.progress import Watch
    from reloadgate.project import Subject
    from reloadgate.reuse import Store
    from reloadgate.verdict import Verdict


def examples(*lines: str) -> str:
    """The end of a command's help: how it is called, a line each."""
    return "\n".join(("\b", "Examples:", *(f"  reloadgate {line}" for line in lines)))


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A model is not saved until a fresh process has reloaded it and proved that it is the same model.",
    epilog=examples("verify", "verify models/churn/1.0.0", "gate --json"),
)


def _names(incomplete: str) -> list[str]:
    """What the shell completes: the models of params.yaml; a path completes itself."""
    import contextlib

    from reloadgate.errors import UsageError
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, declared

    with contextlib.suppress(UsageError):
        return [subject.name for subject in declared(read_yaml(PARAMS)) if subject.name.startswith(incomplete)]
    return []


Overrides = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="KEY=VALUE", help="A setting over params.yaml, such as tolerances.resume=1e-6."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
EngineKindOption = Annotated[
    str | None, typer.Option("--engine", metavar="local|dask", help="Where the reloads run; default: as in params.yaml.")
]
Scheduler = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The Dask scheduler, such as tcp://10.0.0.1:8786.")]
Python = Annotated[
    str | None,
    typer.Option("--python", metavar="PATH", help="Reload in this interpreter's environment: rehearse an upgrade."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


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
    what: Annotated[list[str] | None, typer.Argument(metavar="PATH|NAME", show_default=False, autocompletion=_names)] = None,
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
    from reloadgate.project import REPORTS, read_policy, read_records
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
        report.begin(folder, "reloadgate verify")
    settings, where = read_policy(policy or ()), _engine_settings(engine, scheduler, python)
    evidence = folder / "evidence" if folder and not others else None
    drifts: tuple[drift.Drift, ...] = ()
    with _watch(quiet or as_json) as watch:
        if others:
            comparison, verdict = sweep(_revisions(rev or [], all_tags, all_commits), what or (), settings, where, watch)
        else:
            records = read_records() if not what else None
            subjects = _subjects(what)
            comparison, verdict = verify_all(subjects, settings, records=records, evidence=evidence, settings=where, watch=watch)
            drifts = drift.against(against, subjects, comparison) if against else ()
    if folder:
        report.publish(folder, verdict, comparison, evidence, drifts)
    _show(verdict, as_json, folder)
    if not as_json:
        show_drifts(drifts)
    raise typer.Exit(verdict.exit_code)


@app.command()
def reload(
    fresh: Annotated[bool, typer.Option("--fresh", help="Reload also what has not changed since the last time.")] = False,
    engine: EngineKindOption = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Reload every model of params.yaml that changed, in fresh processes; the evidence goes to reports/evidence."""
    from reloadgate import report
    from reloadgate.engine import engine_for
    from reloadgate.policy import OwnLoader, read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_policy
    from reloadgate.reload import reload as reload_all

    report.begin(REPORTS, "reloadgate reload")
    subjects, settings = declared(read_yaml(PARAMS)), _engine_settings(engine, scheduler)
    strict, store = read_policy().own_loader == OwnLoader.STRICT, _store(settings, fresh)
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    with _watch(quiet) as watch:
        reloaded = list(reload_all(subjects, EVIDENCE, engine_for(settings), settings.limits, watch, store, strict))
    typer.echo(f"reloaded {len(reloaded)} models: {EVIDENCE}")


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
    from reloadgate.judge import judge as judge_all
    from reloadgate.nouns import from_dict, read_json
    from reloadgate.project import EVIDENCE, REPORTS, read_policy
    from reloadgate.remote import with_remote
    from reloadgate.suites import with_suites

    report.begin(REPORTS, "reloadgate judge")
    settings = read_policy(policy or ())
    path = REPORTS / "comparison.json"
    comparison = with_suites(with_remote(from_dict(Comparison, read_json(path), str(path)), settings), settings)
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

    whole = all((REPORTS / page).is_file() for page in report.PAGES)  # git keeps none of them: in CI they are not there
    with report.on_file(REPORTS, "reloadgate gate") as verdict_file:
        gated = hold_gate(declared(read_yaml(PARAMS)), read_records(), EVIDENCE, verdict_file, read_policy())
        if gated.objections:
            report.publish(REPORTS, gated.verdict, None)
        elif gated.outdated or not whole:
            report.publish(REPORTS, gated.verdict, gated.comparison, EVIDENCE)
    for objection in gated.objections:
        typer.echo(f"{gated.verdict.status}: {objection}", err=True)
    _show(gated.verdict, as_json, REPORTS)
    raise typer.Exit(gated.verdict.exit_code)


@app.command(epilog=examples("sign --key release.pem", "sign --key ci.pem --certificate ci.crt --certificate root.crt"))
def sign(
    key: Annotated[Path, typer.Option(metavar="PEM", help="The private key, of an elliptic curve.", show_default=False)],
    certificate: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Certificates that vouch for it: its own first, then the chain.")
    ] = None,
) -> None:
    """Sign every version and its verdict where the gate is open for all of them; the policy `signed` asks for it."""
    from reloadgate.gate import gate as hold_gate
    from reloadgate.policy import read_yaml
    from reloadgate.project import EVIDENCE, PARAMS, REPORTS, declared, read_policy, read_records
    from reloadgate.report import VERDICT
    from reloadgate.signing import Signer
    from reloadgate.signing import sign as sign_all
    from reloadgate.verdict import Status

    subjects, file = declared(read_yaml(PARAMS)), REPORTS / VERDICT
    gated = hold_gate(subjects, read_records(), EVIDENCE, file, read_policy(), signatures=None)
    if gated.verdict.status is Status.PASS:
        signer = Signer(key=str(key), certificates=tuple(map(str, certificate or ())))
        for path in sign_all(gated.verdict, signer):
            typer.echo(f"signed: {path}")
    else:
        typer.echo(f"nothing was signed: {gated.verdict.status} ({gated.verdict.reason})", err=True)
    raise typer.Exit(gated.verdict.exit_code)


@app.command(epilog=examples("release churn", "release churn --json"))
def release(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, autocompletion=_names)], as_json: AsJson = False
) -> None:
    """Tag the version of a model with GTO, only where the gate is open for it and the commit holds what was judged."""
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, declared, read_policy, read_records
    from reloadgate.releasing import release as register

    released = register(name, declared(read_yaml(PARAMS)), read_records(), read_policy())
    for objection in released.gated.objections:
        typer.echo(f"{released.gated.verdict.status}: {objection}", err=True)
    _show(released.gated.verdict, as_json)
    if released.tag:
        typer.echo(f"tagged {released.tag}; `git push origin {released.tag}` publishes it", err=True)
    else:
        typer.echo(f"reloadgate: {name} is not released: the gate is closed", err=True)
    raise typer.Exit(released.gated.verdict.exit_code)


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
    what: Annotated[list[str] | None, typer.Argument(metavar="PATH|NAME", show_default=False, autocompletion=_names)] = None,
    policy: Overrides = None,
    sample: Annotated[int | None, typer.Option(min=1, metavar="N", help="Damages to try of each version; default: all.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="End 1 if a smaller share is caught.")] = None,
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
    from reloadgate.project import REPORTS, read_policy, read_records
    from reloadgate.terminal import show_drill
    from reloadgate.verdict import EXIT_CODES

    folder = reports or (None if what else REPORTS)
    if folder:
        report.begin(folder)
    settings, where = read_policy(policy or ()), _engine_settings(engine, scheduler, python)
    with _watch(quiet or as_json) as watch:
        found = run_drill(
            _subjects(what), settings, where, records=read_records(), sample=sample, min_score=min_score, watch=watch
        )
    if folder:
        report.publish(folder, found)
    if as_json:
        typer.echo(json.dumps(to_dict(found), sort_keys=True, indent=1, ensure_ascii=False))
    else:
        show_drill(found, report.areas(found), (folder / report.PAGE).as_posix() if folder else "")
    raise typer.Exit(EXIT_CODES[found.status])


def _subjects(what: list[str] | None) -> "list[Subject]":
    """The versions that were named, by path or as params.yaml names them; default: all that it names."""
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, declared
    from reloadgate.verifying import subject_of

    known = {subject.name: subject for subject in declared(read_yaml(PARAMS))} if not what or PARAMS.exists() else {}
    return [known[one] if one in known else subject_of(Path(one)) for one in dict.fromkeys(what or known)]


def _revisions(named: list[str], all_tags: bool, all_commits: bool) -> list[str]:
    from reloadgate.revisions import commits, tags

    return [*named, *(tags(Path()) if all_tags else ()), *(commits(Path()) if all_commits else ())]


def _engine_settings(kind: str | None, scheduler: str | None, python: str | None = None) -> "EngineSettings":
    """The section `engine` of params.yaml, and what was given on the command line over it."""
    from reloadgate.engine import EngineSettings
    from reloadgate.project import read_section
    from reloadgate.settings import strictly

    given = {"kind": kind, "scheduler": scheduler, "python": python}
    over = {name: value for name, value in given.items() if value is not None or (name == "scheduler" and kind == "local")}
    return strictly(EngineSettings, read_section("engine", over), "engine")


def _store(settings: "EngineSettings", fresh: bool) -> "Store | None":
    """Kept evidence lies where DVC keeps what is its own; none where another machine or environment reloads."""
    from reloadgate.engine.jobs import EngineKind
    from reloadgate.reuse import Store

    elsewhere = settings.kind is not EngineKind.LOCAL or settings.python is not None
    return None if fresh or elsewhere or not DVC_TMP.is_dir() else Store(DVC_TMP / "reloadgate/evidence")


def _watch(silent: bool) -> "Watch":
    from reloadgate.progress import Watch, watch_on

    return Watch() if silent else watch_on(sys.stderr)


@app.command(epilog=examples("init", "init --model churn --stage train --yes", "init --undo"))
def init(
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the model is called; default: the folder's name.")
    ] = None,
    stage: Annotated[str | None, typer.Option(metavar="NAME", help="The stage that trains; default: the one named so.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take out again what init put in.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Add the stages, a policy, Makefile targets and a CI job to this repository; shows the difference first."""
    from reloadgate import adoption

    plan = adoption.undo(Path()) if undo else adoption.adopt(Path(), model, stage)
    typer.echo(plan.difference() or "nothing to change", nl=not plan.changes)
    if plan.changes:
        if not yes and not (sys.stdin.isatty() and typer.confirm("write this?", err=True)):
            typer.echo("nothing was written: `--yes` writes it", err=True)
            raise typer.Exit(2)
        plan.apply(Path())
    if not undo:
        typer.echo(adoption.next_step(plan))


@app.command(epilog=examples("history", "history digits --limit 50", "history --max-churn 0.05 --json"))
def history(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False, autocompletion=_names)] = None,
    limit: Annotated[int, typer.Option(min=1, help="Commits to look at.")] = 20,
    max_churn: Annotated[float | None, typer.Option(min=0, max=1, help="End 1 if a newest version churns more.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verdict, drift, resume parity, sizes, times and churn of every commit, without checking anything out."""
    from reloadgate import history as past
    from reloadgate.nouns import to_dict
    from reloadgate.terminal import show_history

    entries = past.history(names or (), limit)
    if as_json:
        typer.echo(json.dumps([to_dict(entry) for entry in entries], indent=1, ensure_ascii=False))
    else:
        show_history(entries)
    if max_churn is not None and any(above := past.above(entries, max_churn)):
        typer.echo(f"reloadgate: above the limit of {max_churn:g}: {', '.join(above)}", err=True)
        raise typer.Exit(1)


def _show(verdict: "Verdict", as_json: bool, reports: Path | None = None) -> None:
    """The verdict for people, or as one JSON document."""
    if as_json:
        from reloadgate.nouns import to_dict

        typer.echo(json.dumps(to_dict(verdict), sort_keys=True, indent=1, ensure_ascii=False))
        return
    from reloadgate.terminal import show

    show(verdict, (reports / "report.html").as_posix() if reports else "")


INTERRUPTED = 130

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""What a system says where no more can be written: the disk, one file, what a user may have."""

DVC_TMP = Path(".dvc/tmp")


def main() -> None:
    """Run the command and end the process; the one place where errors become exit codes."""
    from reloadgate.errors import ReloadgateError

    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no arrows is no reason to end without a verdict
        cast(TextIOWrapper, stream).reconfigure(errors="replace")
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
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            typer.echo(f"reloadgate: ERROR: the disk takes no more ({error}): make room, and run this again", err=True)
        else:
            traceback.print_exc()
            typer.echo("reloadgate: ERROR: the checking itself broke; the reports say so", err=True)
        code = 3
    sys.exit(code if isinstance(code, int) else 0)
