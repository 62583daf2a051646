"""Commands about the repository and its commits: init, history, sign, release."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from reloadgate.cli.app import AsJson, app, examples, model_names, show


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
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False, autocompletion=model_names)] = None,
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
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, autocompletion=model_names)], as_json: AsJson = False
) -> None:
    """Tag the version of a model with GTO, only where the gate is open for it and the commit holds what was judged."""
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, declared, read_policy, read_records
    from reloadgate.releasing import release as register

    released = register(name, declared(read_yaml(PARAMS)), read_records(), read_policy())
    for objection in released.gated.objections:
        typer.echo(f"{released.gated.verdict.status}: {objection}", err=True)
    show(released.gated.verdict, as_json)
    if released.tag:
        typer.echo(f"tagged {released.tag}; `git push origin {released.tag}` publishes it", err=True)
    else:
        typer.echo(f"reloadgate: {name} is not released: the gate is closed", err=True)
    raise typer.Exit(released.gated.verdict.exit_code)
