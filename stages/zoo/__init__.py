"""The sample models, untrained: a module each, whose `build` makes a compiled model of settings and training data.

A model's module has its name, and registers the custom objects that the model needs. Only the one that is asked for is imported:
a model depends on its own module, as `dvc.yaml` says, and not on those of the others.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

NAMES = ("digits", "diabetes", "wine", "parity", "languages", "weather")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """A model's section of `params.yaml`."""

    version: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    formats: tuple[str, ...] = ("keras",)

    def steps(self, samples: int) -> int:
        """Training steps of all epochs."""
        return -(-samples // self.batch_size) * self.epochs


def module_of(name: str) -> str:
    """The module of the model of that name."""
    return f"{__name__}.{name}"


def build(name: str, settings: Settings, x: Any, y: Any) -> Any:
    """The compiled `keras.Model` of that name; shapes and dtypes are in its module."""
    return import_module(module_of(name)).build(settings, x, y)
