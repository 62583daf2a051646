"""What only some commands need: the extras of the package, asked for where they are used."""

import importlib.util

from reloadgate.errors import UsageError

EXTRAS = {
    "tensorflow": ("tensorflow", "keras"),
    "dvc": ("dvc",),
    "expectations": ("great_expectations", "pandas"),
    "pictures": ("matplotlib",),
    "registry": ("gto",),
    "sign": ("model_signing",),
}
"""What an extra brings, as it is imported."""


def lacking(extra: str) -> list[str]:
    """The modules of an extra that are not installed; nothing is imported."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]


def need(extra: str, what_for: str) -> None:
    """Go on only where an extra is installed.

    Raises:
        UsageError: it is not; the message is the command that installs it.
    """
    if missing := lacking(extra):
        raise UsageError(f'{what_for} needs {", ".join(missing)}: pip install "reloadgate[{extra}]"')
