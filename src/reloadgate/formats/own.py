"""What the user's own code wrote: `loader="module:function"` reads it, given the version's directory."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.evidence import Capability, FormatName, Recipe

NAME = FormatName.OWN
FILE = "."
CAPABILITY = Capability.RESUME
CANNOT = ""
HOLDS_CONFIGURATION = False
NEEDS_BUILDER = False


def find(directory: Path) -> list[Path]:
    return []  # nothing tells the user's own files from others: a loader is declared


def save(model: Any, path: Path) -> None:
    raise UsageError("reloadgate cannot write your own format: save with your code, then call reloadgate.record")


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    """The model that the user's loader returns.

    Raises:
        UsageError: there is no such loader, or what it returns is no `keras.Model`.
    """
    import keras

    if recipe.loader is None:
        raise UsageError("no loader was recorded")
    model = imported(recipe.loader)(path)
    if not isinstance(model, keras.Model):
        raise UsageError(f"the loader {recipe.loader} returned {type(model).__name__}, not a keras.Model")
    return model


def stored_config(path: Path) -> dict[str, Any] | None:
    return None


def stored_variables(path: Path) -> dict[str, str] | None:
    return None


def imported(reference: str) -> Callable[..., Any]:
    """The function that "module:function" names.

    Raises:
        UsageError: it is not of that form, or there is no such function.
    """
    module_name, _, function_name = reference.partition(":")
    if not module_name or not function_name:
        raise UsageError(f'{reference!r} is not of the form "module:function"')
    module = importlib.import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UsageError(f"the module {module_name} has no function {function_name}")
    return function  # type: ignore[no-any-return]
