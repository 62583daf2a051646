"""What the user declared: the modules are imported, and what they bring may be named by an artifact."""

import importlib
import importlib.machinery
import importlib.metadata
import itertools
import sys
import sysconfig
from pathlib import Path

import keras

from reloadgate.errors import UsageError
from reloadgate.evidence import Recipe
from reloadgate.files import project_root
from reloadgate.project import MODELS


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
    """The recipe lies in the version too: what it declares must be outside of all versions, and be the user's code."""
    functions = [reference.partition(":")[0] for reference in (recipe.loader, recipe.builder) if reference]
    for name in functions:
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise UsageError(f"the module {name} is Python's own, and neither loads nor builds a model: name a function of yours")
        if package := _from_an_index(name):
            raise UsageError(
                f"the module {name} is of the installed package {package}: name a function of your project, and call it there"
            )
    models = (project_root(version) or version) / MODELS
    versions = {version, models} if models in version.parents else {version}
    for name in (*functions, *recipe.imports):
        for base, number in itertools.product(sys.path, range(1, name.count(".") + 2)):
            place = Path(base, *name.split(".")[:number]).resolve()
            if not versions.isdisjoint((place, *place.parents)) and (place.is_dir() or any(place.parent.glob(f"{place.name}.*"))):
                raise UsageError(f"{name} would be imported from a version itself ({place}): keep code outside of versions")


def _from_an_index(name: str) -> str | None:
    """The package of a module, where it was installed from an index: it knows what to do with a folder, and nothing of models.

    What was installed from a folder or a repository (PEP 610) is the user's own.
    """
    top = name.partition(".")[0]
    found = importlib.machinery.PathFinder.find_spec(top)
    installed = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    if found is None or found.origin is None or installed.isdisjoint(Path(found.origin).parents):
        return None
    packages = importlib.metadata.packages_distributions().get(top, [])
    if packages and all(importlib.metadata.distribution(package).read_text("direct_url.json") for package in packages):
        return None
    return ", ".join(packages) or top
