"""What evidence tells of a model's objects beside variables and graphs: what constructors were given, settings of Keras' own."""

import contextlib
import dis
import inspect
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from types import FunctionType
from typing import Any

import keras
import tensorflow as tf

from reloadgate.evidence import Attribute
from reloadgate.live.attributes import Objects, is_keras_own, objects
from reloadgate.live.catalog import Catalog
from reloadgate.live.methods import shadows
from reloadgate.live.reads import Everything, mentioned_by
from reloadgate.live.uncalled import uncalled
from reloadgate.live.words import KERAS, as_json, described, is_keras, is_the_users, kept_of

COMMON = frozenset({"self", "args", "kwargs", "name", "dtype", "trainable", "autocast"})
"""Parameters of constructors that Keras takes over."""


COMPARED = (*KERAS, keras.Variable, keras.constraints.Constraint, keras.random.SeedGenerator, tf.Variable, tf.Tensor)
"""What has rows of its own, or is a constant of a graph."""


def told(model: Any, listed: Catalog) -> Objects:
    """The objects, and losses and metrics that they and `compile` were given: those may make what they hold when they are first
    called, and are not put back."""
    held = objects(model, listed)
    found = {id(thing): (name, thing) for name, thing in held}
    for given in ("_user_metrics", "_user_weighted_metrics"):
        metrics = keras.tree.flatten(getattr(getattr(model, "_compile_metrics", None), given, None))
        for position, metric in enumerate(metrics):
            if isinstance(metric, keras.metrics.Metric):
                found.setdefault(id(metric), (f"{given.removeprefix('_user_')}/compiled/{position}", metric))
    for name, thing in held:
        for attribute, value in vars(thing).items():
            if isinstance(value, (keras.losses.Loss, keras.metrics.Metric)):
                found.setdefault(id(value), (f"{name}/{attribute.strip('_')}", value))
    return list(found.values())


def others(model: Any, listed: Catalog, known: Objects) -> Objects:
    """The layers that are not among the objects: one that holds no weights is built when it is first called after a load."""
    seen = {id(thing) for _, thing in known}
    layers = [layer for layer in model._flatten_layers() if id(layer) not in seen]
    return [(listed.layers.get(id(layer), layer.name), layer) for layer in layers]


def plain(things: Objects, read: Container[str]) -> Iterator[Attribute]:
    """What objects of the user's own classes keep in plain attributes, and what their constructors were given.

    Args:
        read: names of attributes that the user's code reads.
    """
    for name, thing in things:
        kept = vars(thing)
        own = [one for one in type(thing).__mro__ if not is_keras(one)]
        constructors = [vars(one)["__init__"] for one in own if "__init__" in vars(one)]
        arguments = {parameter for one in constructors for parameter in _parameters(one)} - COMMON
        arguments |= {text for one in constructors for text in _taken_out(one)} - COMMON
        uses = Everything() if _keeps_untold(kept, arguments, mentioned_by(own), read) else read
        handed = (
            {one: (holder, value) for holder, inner in kept.items() for one, value in _handed_on(inner).items()} if own else {}
        )
        for one in sorted(arguments - kept.keys()):
            holder, value = handed.get(one, (one, ...))
            text = as_json(described(_of_property(thing, one, own) if value is ... else value))
            if text is not None:
                yield Attribute(key=f"{name}.{one}", value=text, argument=True, read=one in uses or holder in uses)
        arguments |= {f"_{one}" for one in arguments} & {name for one in constructors for name in _mentioned(one)}
        arguments |= {f"_{cls.__name__.lstrip('_')}__{one}" for cls in own for one in arguments}  # as Python mangles `__one`
        reaching = {attribute: one for one in uncalled(thing) for attribute in one.names}
        for attribute, value in kept.items() if own else ():
            argument = attribute in arguments
            if shadows(thing, attribute) and not argument:
                continue
            if argument and value is None and attribute.endswith("activation"):
                value = "linear"  # as Keras' `activations.get` takes it
            in_words = argument or isinstance(value, FunctionType)  # which may close over what the constructor was given
            text = as_json(described(value) if in_words else value) if argument or not is_keras_own(attribute) else None
            if text is not None:
                reads = reaching.get(attribute)
                yield Attribute(
                    key=f"{name}.{attribute}", value=text, argument=argument, read=attribute in uses,
                    method=reads.method if reads else "", made=bool(reads and attribute in reads.made),
                )  # fmt: skip


def _handed_on(value: Any) -> Mapping[str, Any]:
    """What was given on by name to a partial function, or is kept by an object of the user's own."""
    if isinstance(value, partial):
        return value.keywords
    is_compared = isinstance(value, (type, FunctionType, *COMPARED)) or not is_the_users(type(value))
    return {} if is_compared else kept_of(value) or {}


def _keeps_untold(kept: Mapping[str, Any], arguments: set[str], mentioned: set[str], read: Container[str]) -> bool:
    """Whether code reads what the user's class keeps in no words, and what may be made of any argument."""
    for attribute, value in kept.items():
        told = not is_keras_own(attribute) and (isinstance(value, FunctionType) or as_json(value) is not None)
        if told or attribute.lstrip("_") in arguments or attribute not in mentioned or attribute not in read:
            continue
        if not all(isinstance(leaf, COMPARED) for leaf in keras.tree.flatten(value)):
            return True
    return False


def _of_property(thing: Any, name: str, own: Iterable[type]) -> Any:
    """What a property of the user's own classes says; where there is none, what cannot be told."""
    if any(isinstance(vars(one).get(name), property) for one in own):
        with contextlib.suppress(Exception):  # the user's own code
            return getattr(thing, name)
    return ...


def _parameters(constructor: Any) -> Iterable[str]:
    """The names of a constructor's parameters, but for those that take any number; none of one that Python cannot look into."""
    try:
        parameters = inspect.signature(constructor).parameters.values()
    except (TypeError, ValueError):
        return ()
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def _taken_out(constructor: Any) -> Iterator[str]:
    """What a constructor takes out of its `**options` by name."""
    code = getattr(inspect.unwrap(constructor), "__code__", None)
    if code is not None and code.co_flags & inspect.CO_VARKEYWORDS:
        for one, after in pairwise(dis.get_instructions(code)):
            if one.argval in ("pop", "get") and after.opname == "LOAD_CONST" and isinstance(after.argval, str):
                yield after.argval


def _mentioned(constructor: Any) -> Iterable[str]:
    """The names of attributes that a constructor's own code uses: Keras has others with an underscore, as `_path`."""
    code = getattr(inspect.unwrap(constructor), "__code__", None)
    return code.co_names if code else ()


NOT_TOLD = (keras.Model, keras.layers.InputLayer)
"""Keras' layers of which the settings say nothing: what a model holds is told of by itself, and inputs are as they are given."""


def settings(model: Any, listed: Catalog) -> Iterator[Attribute]:
    """The dtype policies of the user's layers, and the configuration of Keras' own layers that they hold: that of the model tells
    of none of them, nor of a policy where a `get_config` does without the base's."""
    seen = set[int]()
    for owner in (layer for layer in model._flatten_layers() if not is_keras(type(layer)) and not _tells_of_layers(layer)):
        for layer in owner._flatten_layers():
            if id(layer) in seen or isinstance(layer, NOT_TOLD):
                continue
            seen.add(id(layer))
            told: dict[str, Any] = {"dtype": layer.compute_dtype}
            if is_keras(type(layer)):
                with contextlib.suppress(Exception):  # one whose settings Keras cannot write
                    told |= _without_names(layer.get_config())
            for name, value in told.items():
                text = as_json(value)
                if text is not None:
                    yield Attribute(key=f"{listed.layers.get(id(layer), layer.name)}.{name}", value=text, argument=True)


def of_losses(model: Any, things: Objects) -> Iterator[Attribute]:
    """What Keras' own losses give the function that they are made of, some of which Keras 3.15.1 writes in no configuration, as
    `Huber(delta=0.3)`; of a loss that is known by its name, the function's defaults.

    Args:
        things: what objects of the user's own hold, as `told`.
    """
    compiled = ((f"loss/{position}", loss) for position, loss in enumerate(keras.tree.flatten(getattr(model, "loss", None))))
    held = [(name, thing) for name, thing in things if isinstance(thing, keras.losses.Loss) and not name.startswith("loss/")]
    for place, loss in (*compiled, *held):
        thing = loss
        with contextlib.suppress(ValueError):  # the name of none: it depends on targets and outputs
            thing = keras.losses.get(loss)
        function = getattr(thing, "fn", thing)
        if not (is_keras(type(thing)) and isinstance(function, FunctionType) and is_keras(function)):
            continue
        parameters = list(inspect.signature(function).parameters.values())[2:]  # after targets and predictions
        given = {one.name: one.default for one in parameters} | getattr(thing, "_fn_kwargs", {})
        for name, value in given.items():
            text = as_json(described(value))
            if text is not None:
                yield Attribute(key=f"{place}.{name}", value=text, argument=True, read=True)


def _tells_of_layers(layer: Any) -> bool:
    """Whether it is a model whose own configuration has those of its layers, as that of a Sequential has."""
    with contextlib.suppress(Exception):  # one that has none
        return isinstance(layer, keras.Model) and "layers" in layer.get_config()
    return False


_OF_NO_CONSEQUENCE = {
    *COMMON,
    *("seed", "build_config", "batch_shape", "registered_name", "module"),
    *("vocabulary", "idf_weights", "mean", "variance", "bin_boundaries"),  # what layers were adapted to, compared as such
}


def _without_names(config: Any) -> Any:
    """A configuration without what says nothing of a layer that is built, or is compared elsewhere."""
    if isinstance(config, (list, tuple)):
        return [_without_names(item) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: value for key, value in config.items() if key not in _OF_NO_CONSEQUENCE and "initializer" not in str(key)}
    return {key: _without_names(value) for key, value in kept.items()}


def treatment(variable: Any, optimizer: Any) -> str:
    """What training does with a variable beside the gradient, as JSON."""
    found = {}
    for kind in ("regularizer", "constraint"):
        thing = getattr(variable, kind, None)
        if thing is not None:
            found[kind] = [type(thing).__qualname__]
            with contextlib.suppress(Exception):  # it has no configuration, or none of plain values
                found[kind].append(as_json(thing.get_config()) or "")
    with contextlib.suppress(Exception):  # no optimizer, or none that decays weights
        if optimizer.weight_decay and not optimizer._use_weight_decay(variable):
            found["weight_decay"] = ["none"]
    return json.dumps(found, sort_keys=True) if found else ""
