"""Make the versions of hazards, of all or of those named: `python -m examples.hazards [NAME ...]`.

Writes `models/<name>/hazard` and `models/<name>/healthy` below the working directory, and asserts of each hazard what its
module says of today.
"""

import importlib
import sys
from pathlib import Path

import keras

from examples.hazards import NAMES


def main(names: list[str]) -> None:
    for name in names or NAMES:
        module = importlib.import_module(f"examples.hazards.{name}")
        for twin in ("hazard", "healthy"):
            keras.utils.set_random_seed(1)
            getattr(module, twin)(Path("models") / name / twin)
        module.today(Path("models") / name / "hazard")
        print(f"models/{name}: {module.__doc__.splitlines()[0]}")


if __name__ == "__main__":
    main(sys.argv[1:])
