"""A version in a place that does not keep it."""

import os
from dataclasses import replace
from pathlib import Path

from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.damage import Declared, Scope
from reloadgate.drill.trials import Area
from reloadgate.files import project_root

DAMAGES = damage = Declared(Area.PLACE, Scope.VERSION)


def _move_to_temporary(copy: Copy) -> Path:
    """Take the copy into the system's temporary directory; its code is still found."""
    saved = copy.saved
    root = project_root(copy.version) or copy.version
    code = tuple(str(root / folder) for folder in saved.recipe.code_path)
    copy.saved = replace(saved, recipe=replace(saved.recipe, code_path=code))
    return copy.move_to_temporary()


@damage("in a temporary directory", "weights in a temporary file: the next cleaning takes them away", "0.1")
def _temporary(copy: Copy) -> None:
    copy.version = _move_to_temporary(copy)


@damage("a link to a temporary directory", "the project's folder leads to a place that vanishes", "0.1")
def _linked(copy: Copy) -> None:
    here = copy.version
    here.symlink_to(_move_to_temporary(copy), target_is_directory=True)
    copy.version = here


@damage("open to every user", "every user of the machine may put another model in this one's place", "0.3")
def _open(copy: Copy) -> None:
    if os.name != "posix":
        raise DoesNotApplyError("this system has no permissions of that kind")
    copy.version.chmod(0o777)
