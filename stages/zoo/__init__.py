"""The sample models, untrained: a module each, whose `build` makes a compiled model of settings and training data.

A model's module has its name, and registers the custom objects that the model needs.
"""

from collections.abc import Callable
from typing import Any

import keras

from stages.zoo import diabetes, digits, languages, parity, weather, wine
from stages.zoo.settings import Settings

__all__ = ["MODELS", "Settings"]

MODELS: dict[str, Callable[[Settings, Any, Any], keras.Model]] = {
    "digits": digits.build,
    "diabetes": diabetes.build,
    "wine": wine.build,
    "parity": parity.build,
    "languages": languages.build,
    "weather": weather.build,
}
