"""What the user declared: the modules are imported, and what they bring may be named by an artifact."""

import importlib
import itertools
import sys
from pathlib import Path

import keras

from reloadgate.errors import UsageError
from reloadgate.evidence import Recipe


def declared(recipe: Recipe, version: Path) -> list[str]:
    """Import the declared modules; return the custom classes and functions that they bring, as inspection names them.

    Raises:
        UsageError: code of the version itself is declared: who could change the bytes could then run what they like.
    """
    _refuse_own_code(recipe, version.resolve())
    for name in recipe.imports:
        importlib.import_module(name)
    found = [f"{name}:{attribute}" for name in recipe.imports for attribute in vars(sys.modules[name])]
    return [*found, *keras.saving.get_custom_objects()]


def _refuse_own_code(recipe: Recipe, version: Path) -> None:
    """The recipe lies in the version too: what it declares must be outside of it, and be somebody's code."""
    functions = [reference.partition(":")[0] for reference in (recipe.loader, recipe.builder) if reference]
    for name in functions:
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise UsageError(f"the module {name} is Python's own, and neither loads nor builds a model: name a function of yours")
    for name in (*functions, *recipe.imports):
        for base, number in itertools.product(sys.path, range(1, name.count(".") + 2)):
            place = Path(base, *name.split(".")[:number]).resolve()
            if version in (place, *place.parents) and (place.is_dir() or any(place.parent.glob(f"{place.name}.*"))):
                raise UsageError(f"{name} would be imported from the version itself ({place}): keep code outside of versions")
