"""What only some commands need: the extras of the package, asked for where they are used."""

import importlib.util
import sys
from typing import Any

from reloadgate.errors import UsageError

EXTRAS = {
    "tensorflow": ("tensorflow", "keras"),
    "dvc": ("dvc",),
    "expectations": ("great_expectations", "pandas"),
    "pictures": ("matplotlib",),
    "registry": ("gto",),
    "dask": ("distributed",),
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


def defer(name: str) -> None:
    """Have a module executed when something of it is first used, and not when it is imported.

    Nothing happens where it is not installed, or is imported already. The standard library's `LazyLoader` executes a module
    when it is imported a second time (Python 3.11).
    """
    if name in sys.modules or importlib.util.find_spec(name.partition(".")[0]) is None:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    module, execute = importlib.util.module_from_spec(spec), spec.loader.exec_module

    def first_use(attribute: str) -> Any:
        vars(module).pop("__getattr__", None)
        execute(module)
        return getattr(module, attribute)

    vars(module)["__getattr__"] = first_use
    sys.modules[name] = module
