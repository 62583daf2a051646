"""What evidence tells of methods of the user's own: those that were set on an object, and what those read that no check calls."""

from collections.abc import Iterator
from typing import Any

import keras

from reloadgate.evidence import Attribute
from reloadgate.live.attributes import Objects
from reloadgate.live.uncalled import NOT_CALLED, uncalled
from reloadgate.live.words import NOT_THE_USERS, as_json, described, plain_or_type

MADE_AFRESH = {f"{kind}_function": f"make_{kind}_function" for kind in ("train", "test", "predict")}
"""What a model keeps of such functions, none of which is called before it is made anew, and what makes it."""


def of_methods(things: Objects) -> Iterator[Attribute]:
    """What was set on an object in the place of a method of its class, that a model's class has a `fit` of its own, and what that
    reads beside the model's own plain attributes.

    Keras writes none of it into any file. What the checks call shows in what they find; of what they do not call nothing does.
    """
    for name, thing in things:
        kind, is_model = type(thing), isinstance(thing, keras.Model)
        for attribute, value in vars(thing).items():
            unseen = is_model and (attribute in NOT_CALLED or _is_set(kind, attribute))
            if callable(value) and not _is_kerass(value) and (unseen or shadows(thing, attribute)):
                text = as_json(plain_or_type(described(value))) or ""
                yield Attribute(key=f"{name}.{attribute}", value=text, argument=False, read=unseen, method=attribute)
        for method in NOT_CALLED if is_model else ():
            if method not in vars(thing) and getattr(kind, method) is not getattr(keras.Model, method):
                yield Attribute(key=f"{name}.{method}", value='"of its class"', argument=False, method=method)
        for one in uncalled(thing):
            for place, text in one.told():
                made = place.rpartition(".")[2] in one.made
                yield Attribute(key=f"{name}.{place}", value=text, argument=False, method=one.method, made=made)


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
