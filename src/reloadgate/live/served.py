"""Observing what has no Keras model any more: a SavedModel, which serves a graph."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from reloadgate.arrays import ArrayWriter
from reloadgate.errors import ObservationError
from reloadgate.evidence import SERVE, Group, Kind, Observation, Output, Variable
from reloadgate.formats.saved_model import VARIABLES
from reloadgate.live import hold
from reloadgate.live.behaviour import Values, named_outputs
from reloadgate.live.look import Look, is_constant, noise_between
from reloadgate.ndarrays import array_digest
from reloadgate.probe import Probe

Value = np.ndarray[Any, Any]


def observe_served(served: Any, folder: Any, probe: Probe, arrays: ArrayWriter, expected: Observation | None) -> Observation:
    """Observe a loaded SavedModel: its variables by the names that the live model's have, and what it serves.

    Args:
        folder: the SavedModel's directory: its checkpoint says which value belongs to which name.
        expected: the live model's observation, whose storage paths and names tell which variable is which.
    """
    look = Look(None, probe, arrays)
    outputs = []
    if probe.rows:
        with hold.deterministic_operations():
            first = look.attempt(Group.PREDICTIONS, SERVE, lambda: serve(served, look), {})
            second, answered = first, first
            if first:
                second = look.attempt(Group.DETERMINISM, SERVE, lambda: serve(served, look), {})
                answered = look.attempt(Group.PREDICTIONS, "serving_default", lambda: signed(served, look, first), {})
        for name, value in first.items():
            noise = noise_between(value, second.get(name))
            # Where a server answers otherwise, that is what users get.
            kept = arrays.put(f"{SERVE}/{name}", answered.get(name, value), whole=True)
            outputs.append(Output(mode=SERVE, name=name, value=kept, noise=noise, constant=is_constant(value)))
    return Observation(
        class_name=type(served).__name__,
        config=None,
        compile_config=None,
        compiled=False,
        variables=tuple(
            replace(variable, value=arrays.put(f"before/{variable.key}", value), final=None, noise=0.0)
            for variable, value in _matched(folder, expected)
        ),
        assets=(),
        optimizers=(),
        outputs=tuple(outputs),
        steps=0,
        logs=(),
        moved_attributes=(),
        graphs=(),
        notes=tuple(look.notes),
    )


def glance_served(served: Any, folder: Any, probe: Probe, expected: Observation | None) -> tuple[dict[str, str], dict[str, str]]:
    """Digests alone: of every variable by storage path, and of what is served by output."""
    with hold.deterministic_operations():
        outputs = serve(served, Look(None, probe, ArrayWriter()))
    values = {v.key: array_digest(value) for v, value in _matched(folder, expected) if v.kind in (Kind.WEIGHT, Kind.SLOT)}
    return values, {name: array_digest(value) for name, value in outputs.items()}


def serve(served: Any, look: Look) -> Values:
    """What the SavedModel answers to the probe, by the names of the live model's outputs; its variables are put back."""
    x, signature = _tensors(look), served.signatures.get("serving_default")
    if _serves(served):
        return _answer(served, lambda: named_outputs(served.serve(_arranged(x, served.serve))))
    if signature is None:
        raise ObservationError(f"it has no `serve` and no signature serving_default, only {sorted(served.signatures)}")
    return _unnumbered(_answer(served, lambda: named_outputs(signature(**_by_name(x, signature)))))


def signed(served: Any, look: Look, outputs: Values) -> Values:
    """What a server answers, by the signature `serving_default`, where Python is answered by `serve`: it may be another function.

    Nothing where there is no such signature beside `serve`; ObservationError where the two cannot be held against each other.

    Args:
        outputs: what `serve` answered.
    """
    x, signature = _tensors(look), served.signatures.get("serving_default")
    if signature is None or not _serves(served):
        return {}
    leaves = tf.nest.flatten(_arranged(x, served.serve))
    specs = tf.nest.flatten(_wanted(served.serve))
    named = {spec.name: leaf for spec, leaf in zip(specs, leaves, strict=True)}
    inputs = _by_name(named if {*named} == {*signature.structured_input_signature[1]} else x, signature)
    found = _answer(served, lambda: named_outputs(signature(**inputs)))
    answered = found if {*found} == {*outputs} else _unnumbered(found)
    if {*answered} != {*outputs}:
        raise ObservationError(f"it answers {', '.join(sorted(found))}, where `serve` answers {', '.join(sorted(outputs))}")
    return answered


def _serves(served: Any) -> bool:
    return callable(getattr(served, "serve", None))


def _wanted(function: Any) -> Any:
    """What the first of a served function's arguments was exported as; None where it takes several."""
    ((wanted, *others), _) = function.concrete_functions[0].structured_input_signature
    return None if others else wanted


def _unnumbered(outputs: Values) -> Values:
    """A signature's outputs by the names of the model's: it numbers what had no names."""
    if set(outputs) == {"output_0"}:
        return {"output": outputs["output_0"]}
    return {name.removeprefix("output_"): value for name, value in outputs.items()}


def _tensors(look: Look) -> Any:
    return tf.nest.map_structure(lambda leaf: leaf if tf.is_tensor(leaf) else tf.constant(leaf), look.inputs[0])


def _answer(served: Any, function: Callable[[], Values]) -> Values:
    """A seed moves on with every call, and the live model was put back too."""
    states = [(variable, variable.read_value()) for variable in getattr(served, "variables", ())]
    try:
        return function()
    finally:
        for variable, value in states:
            variable.assign(value)


def _arranged(x: Any, function: Any) -> Any:
    """The inputs as the export arranged them, where the live model takes others too: one for a list of one, those of a list by
    their names, more than it asks for."""
    wanted = _wanted(function)
    specs = tf.nest.flatten(wanted)
    if isinstance(x, Mapping):
        names = sorted(wanted) if isinstance(wanted, Mapping) else [getattr(spec, "name", None) for spec in specs]
        x = {name: x[name] for name in names} if {*names} <= {*x} else x
        leaves = [leaf for name in names for leaf in tf.nest.flatten(x[name])] if {*names} == {*x} else []
    else:
        leaves = tf.nest.flatten(x)  # those of a dict in the order of its keys, as Keras takes a list
    if wanted is None or len(leaves) != len(specs):
        return x
    return tf.nest.pack_sequence_as(wanted, [_cast(leaf, spec) for leaf, spec in zip(leaves, specs, strict=True)])


def _cast(leaf: Any, spec: Any) -> Any:
    """As a Keras model casts what it is given; a graph takes its own dtype only."""
    return leaf if tf.string in (leaf.dtype, spec.dtype) else tf.cast(leaf, spec.dtype)


def _by_name(x: Any, signature: Any) -> dict[str, Any]:
    """The signature's arguments: Keras names them after the inputs, and casts nothing there."""
    specs = signature.structured_input_signature[1]
    leaves = tf.nest.flatten(x)
    first = min(specs, key=len)
    numbered = [first, *(f"{first}_{number}" for number in range(1, len(leaves)))]  # how TensorFlow flattens one argument
    if isinstance(x, Mapping) and {*x} == {*specs}:
        given = dict(x)
    elif {*numbered} == {*specs}:
        given = dict(zip(numbered, leaves, strict=True))
    else:
        raise ObservationError(f"which of its inputs {sorted(specs)} is which cannot be told: probe with a dict of these names")
    return {name: _cast(given[name], spec) for name, spec in specs.items()}


def _matched(folder: Any, expected: Observation | None) -> Iterator[tuple[Variable, Value]]:
    """The live model's variables with their values in the SavedModel.

    A name that is there once says which is which; where it is stored twice, as an export does, a value that is neither its own
    nor that of a variable whose name is gone is what it was damaged to. Names of subclassed models change with the scope in which
    a variable was made: such a variable is there if one of the SavedModel's holds exactly its bits; what is served says whether
    in its place.
    """
    stored = _stored_values(folder)
    everything = {array_digest(value): value for values in stored.values() for value in values}
    live = expected.variables if expected else ()
    names, renamed = [variable.path for variable in live], {v.value.sha256 for v in live if v.path not in stored}
    for variable in live:
        values = {array_digest(value): value for value in stored.get(variable.path, [])}
        strange = [value for digest, value in values.items() if digest not in {variable.value.sha256, *renamed}]
        if len(values) > 1 and strange and names.count(variable.path) == 1:
            yield variable, strange[0]
        elif len(values) == 1 and names.count(variable.path) == 1:
            yield variable, next(iter(values.values()))
        elif variable.value.sha256 in everything:
            yield variable, everything[variable.value.sha256]


def _stored_values(folder: Any) -> dict[str, list[Value]]:
    """Every variable in the SavedModel's checkpoint by its full name: an export lists most of them twice."""
    reader = tf.train.load_checkpoint(str(folder / VARIABLES))
    graph = TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    found: dict[str, list[Value]] = {}
    for node in graph.nodes:
        for attribute in node.attributes:
            if attribute.full_name and reader.has_tensor(attribute.checkpoint_key):
                value = np.asarray(reader.get_tensor(attribute.checkpoint_key))
                found.setdefault(attribute.full_name.removesuffix(":0"), []).append(value)
    return found
