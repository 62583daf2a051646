"""The application that the commands register with, and what they share: options, and the words of the command line as values."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reloadgate.engine import EngineSettings
    from reloadgate.progress import Watch
    from reloadgate.project import Subject
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


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"reloadgate {version('reloadgate')}")
        raise typer.Exit


@app.callback()
def _of_no_command(
    version: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version.")] = False,
) -> None:
    pass


def model_names(incomplete: str) -> list[str]:
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


def subjects_named(what: list[str] | None) -> "list[Subject]":
    """The versions that were named, by path or as params.yaml names them; default: all that it names."""
    from reloadgate.policy import read_yaml
    from reloadgate.project import PARAMS, declared
    from reloadgate.verifying import subject_of

    params = read_yaml(PARAMS) if not what or PARAMS.exists() else {}
    known = {subject.name: subject for subject in declared(params)} if not what or params.get("models") else {}
    return [known[one] if one in known else subject_of(Path(one), known) for one in dict.fromkeys(what or known)]


def engine_settings(kind: str | None, scheduler: str | None, python: str | None = None) -> "EngineSettings":
    """The section `engine` of params.yaml, and what was given on the command line over it."""
    from reloadgate.engine import EngineSettings
    from reloadgate.project import read_section
    from reloadgate.settings import strictly

    given = {"kind": kind, "scheduler": scheduler, "python": python}
    over = {name: value for name, value in given.items() if value is not None or (name == "scheduler" and kind == "local")}
    return strictly(EngineSettings, read_section("engine", over), "engine")


begun: list[Path] = []
"""The folders whose reports this command has set to ERROR."""


def begin(reports: Path, doing: str) -> None:
    """Set every report in a folder to ERROR, before any work."""
    from reloadgate import report

    report.begin(reports, doing)
    begun.append(reports)


def watching(silent: bool) -> "Watch":
    from reloadgate.progress import Watch, watch_on

    return Watch() if silent else watch_on(sys.stderr)


def show(verdict: "Verdict", as_json: bool, reports: Path | None = None) -> None:
    """The verdict for people, or as one JSON document."""
    if as_json:
        from reloadgate.nouns import to_dict

        typer.echo(json.dumps(to_dict(verdict), sort_keys=True, indent=1, ensure_ascii=False))
        return
    from reloadgate.terminal import show

    show(verdict, (reports / "report.html").as_posix() if reports else "")
