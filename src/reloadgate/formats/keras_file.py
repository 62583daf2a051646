"""`model.keras`: Keras' own archive of configuration, weights and optimizer."""

import zipfile
from pathlib import Path
from typing import Any

from reloadgate.evidence import Capability, Recipe

NAME = "keras"
FILE = "model.keras"
CAPABILITY = Capability.RESUME
CANNOT = ""

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


def save(model: Any, path: Path) -> None:
    model.save(path)


def load(path: Path, recipe: Recipe) -> Any:
    import keras

    return keras.models.load_model(path)


def inspect(path: Path) -> list[str]:
    """Whether the file is an archive with the members that Keras reads, whole by their checksums."""
    if not path.is_file():
        return [f"{path.name} is missing" if not path.exists() else f"{path.name} is not a regular file"]
    if not path.stat().st_size:
        return [f"{path.name} is empty"]
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return [f"{path.name} is not a whole .keras archive: {error}"]
    found = [f"{path.name} lacks its member {member}" for member in MEMBERS if member not in names]
    if damaged:
        found.append(f"{path.name}: the member {damaged} fails its checksum")
    return found
