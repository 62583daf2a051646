"""The command: argv to one verb to exit code. The only place that prints or exits.

Exit codes: 0 PASS; 1 FAIL; 2 usage or configuration; 3 UNVERIFIED or ERROR; 130 interrupted.
"""

import errno
import gc
import os
import sys
import traceback
from io import TextIOWrapper
from typing import cast

import typer

from reloadgate.cli import checks, repository, stages  # noqa: F401  (importing them registers their commands)
from reloadgate.cli.app import app, begun

INTERRUPTED = 130

COLLECTED = 200_000
"""Objects between two collections: at Python's 700, a command that ends soon looks for garbage an eighth of its time."""

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""What a system says where no more can be written: the disk, one file, what a user may have."""


def main() -> None:
    """Run the command and end the process; the one place where errors become exit codes."""
    from reloadgate.errors import ReloadgateError

    begun.clear()
    gc.set_threshold(COLLECTED)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # how records are read is no plugin's business
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
        typer.echo(f"reloadgate: interrupted{'; the reports say ERROR' if begun else ''}", err=True)
        code = INTERRUPTED
    except ReloadgateError as error:
        typer.echo(f"reloadgate: {error}", err=True)
        code = error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            typer.echo(f"reloadgate: ERROR: the disk takes no more ({error}): make room, and run this again", err=True)
        else:
            traceback.print_exc()
            typer.echo(f"reloadgate: ERROR: the checking itself broke{'; the reports say so' if begun else ''}", err=True)
        code = 3
    gc.freeze()  # the system takes all of it back: looking once more for garbage takes a second after Great Expectations
    sys.exit(code if isinstance(code, int) else 0)
