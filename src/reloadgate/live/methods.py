"""What evidence tells of methods of the user's own that were set on an object, or that no check calls."""

from collections.abc import Iterator
from typing import Any

import keras

from reloadgate.evidence import Attribute
from reloadgate.live.attributes import Objects
from reloadgate.live.words import NOT_THE_USERS, as_json, described, plain_or_type

NOT_CALLED = ("fit", "evaluate", "train_on_batch", "test_on_batch", "predict_on_batch")
"""Methods of `keras.Model` that no check calls: resumed steps and predictions go through what they call."""

MADE_AFRESH = {f"{kind}_function": f"make_{kind}_function" for kind in ("train", "test", "predict")}
"""What a model keeps of such functions, none of which is called before it is made anew, and what makes it."""


def set_methods(things: Objects) -> Iterator[Attribute]:
    """What was set on an object in the place of a method of its class, and that a model's class has a `fit` of its own.

    Keras writes neither into any file. What the checks call shows in what they find; of what they do not call nothing does.
    """
    for name, thing in things:
        kind, is_model = type(thing), isinstance(thing, keras.Model)
        for attribute, value in vars(thing).items():
            uncalled = is_model and (attribute in NOT_CALLED or _is_set(kind, attribute))
            if callable(value) and not _is_kerass(value) and (uncalled or shadows(thing, attribute)):
                text = as_json(plain_or_type(described(value))) or ""
                yield Attribute(key=f"{name}.{attribute}", value=text, argument=False, read=uncalled, method=attribute)
        for method in NOT_CALLED if is_model else ():
            if method not in vars(thing) and getattr(kind, method) is not getattr(keras.Model, method):
                yield Attribute(key=f"{name}.{method}", value='"of its class"', argument=False, method=method)


def shadows(thing: Any, attribute: str) -> bool:
    """Whether what an object has of this name is in the place of a method of its class."""
    return callable(getattr(type(thing), attribute, None))


def _is_set(kind: type, attribute: str) -> bool:
    """Whether this is a function that Keras makes of a model, unless the model's class makes one of its own."""
    makes = MADE_AFRESH.get(attribute)
    return makes is not None and getattr(kind, makes) is getattr(keras.Model, makes)


def _is_kerass(value: Any) -> bool:
    """Whether Keras made a function, as what it wraps every `build` in, under the name and module of that."""
    function = getattr(value, "python_function", value)
    space = getattr(getattr(function, "__func__", function), "__globals__", {})
    return str(space.get("__name__")).split(".")[0] in NOT_THE_USERS
