"""`model_keras/`: the members of a `.keras` archive in a directory, as `model.save(path, zipped=False)` writes them."""

from pathlib import Path
from typing import Any

from reloadgate.evidence import Capability, FormatName, Recipe
from reloadgate.formats.keras_archive import MEMBERS, hdf5_datasets
from reloadgate.nouns import json_object

NAME = FormatName.KERAS_DIRECTORY
FILE = "model_keras"
CAPABILITY = Capability.RESUME
CANNOT = ""
HOLDS_CONFIGURATION = True
NEEDS_BUILDER = False


def find(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if all((path / member).is_file() for member in MEMBERS))


def save(model: Any, path: Path) -> None:
    model.save(path, zipped=False)


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    import keras

    return keras.models.load_model(path)


def stored_config(path: Path) -> dict[str, Any] | None:
    return json_object((path / "config.json").read_bytes())


def stored_variables(path: Path) -> dict[str, str] | None:
    return hdf5_datasets(path / MEMBERS[-1])
