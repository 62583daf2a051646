"""`model.weights.h5`: variables and optimizer by storage path, without architecture; sharded where a `.weights.json` says so."""

import json
from pathlib import Path
from typing import Any

from reloadgate.evidence import Capability, FormatName, Recipe
from reloadgate.files import read_regular
from reloadgate.formats.built import built
from reloadgate.formats.keras_archive import hdf5_datasets
from reloadgate.inspection.limits import Limits

NAME = FormatName.WEIGHTS
FILE = "model.weights.h5"
CAPABILITY = Capability.RESUME
CANNOT = ""
HOLDS_CONFIGURATION = False
NEEDS_BUILDER = True

INDEX = ".weights.json"


def find(directory: Path) -> list[Path]:
    """Every file of weights, and every index of shards in place of its shards."""
    indices = sorted(directory.glob(f"*{INDEX}"))
    shards = {shard for index in indices for shard in _shards(index)}
    return sorted({*directory.glob("*.weights.h5")} - shards) + indices


def save(model: Any, path: Path) -> None:
    model.save_weights(path)


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    model = built(recipe, inputs)
    model.load_weights(path)
    return model


def stored_config(path: Path) -> dict[str, Any] | None:
    return None


def stored_variables(path: Path) -> dict[str, str] | None:
    return hdf5_datasets(path) if path.suffix == ".h5" else None  # shards number the parts of one list anew


def _shards(index: Path) -> set[Path]:
    """What an index names; nothing where it cannot be read, of which inspection says why: nobody has looked at it yet."""
    try:
        named = json.loads(read_regular(index, Limits().config))["weight_map"].values()
        return {index.parent / name for names in named for name in ([names] if isinstance(names, str) else names)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return set()
