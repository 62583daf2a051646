"""What the graph that TensorFlow traces of a model shows: state that nobody tracks, constants, random operations.

Keras tracks a variable only where it is an attribute, or in a container, that Keras watches. What `call` uses all the same is
captured by the traced graph, and the layer whose call made the operation that reads it is known. None of it is a fault by
itself: predictions and resumed steps tell whether, and this tells where.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import keras
import tensorflow as tf
from keras.src.export.export_utils import get_input_signature

from reloadgate.evidence import TEST_STEP, TRAIN_STEP, Graph
from reloadgate.live.operations import (
    Computed,
    captured,
    computed,
    counted,
    definition_of,
    digest_of,
    digest_of_all,
    named,
    with_functions,
)
from reloadgate.text import unnumbered

READING = {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape"}
READING |= {"LookupTableExportV2", "LookupTableFindV2", "LookupTableSizeV2"}
READING |= {"StatefulPartitionedCall", "If", "While", "Case"}  # whose functions are looked at themselves
"""Operations that TensorFlow counts among those with state, and that leave it as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """A model as a graph."""

    function: Any
    """What is to be called: with the inputs, or as Keras calls a model's `predict_function`."""
    graph: Any
    """The graph in which the model was called."""
    owners: tuple[str, ...]
    """For every operation of its graph, in order, the storage path of the layer that made it; "" for the model itself."""
    again: Callable[[], Any] | None = None
    """Runs it on the batch that it was traced for, without a line of Python and so in any thread; None where that could leave
    something behind."""


def trace_predict(model: Any, batch: Any, layers: Mapping[int, str]) -> Traced:
    """Trace the model's `predict_function` afresh, or of a model that runs eagerly its `predict_step`; nothing is run.

    Afresh, because one that was traced for another batch gives other last bits.

    Args:
        batch: as `predict` gives it.
        layers: storage paths by the identity of the layer.
    """
    model.make_predict_function(force=True)
    function, entered = model.predict_function, _Entered()
    if model.run_eagerly:
        function = tf.function(lambda batches: model.predict_step(batches[0]), autograph=False, jit_compile=False)
    tensors = tf.nest.map_structure(lambda leaf: leaf if tf.is_tensor(leaf) else tf.constant(leaf), batch)
    with _telling_layers(layers, entered):
        traced = function.get_concrete_function([tensors])
    graph = entered[0][0] if entered else traced.graph  # where XLA compiles it, a function within the traced one
    again = partial(traced, [tensors]) if _only_reads(traced.graph) else None
    return Traced(function=function, graph=graph, owners=_owners(graph, entered), again=again)


def _only_reads(graph: Any) -> bool:
    """Whether a graph leaves everything as it was: no variable is written, nothing is drawn, printed or asked of Python."""
    operations = (operation for called in graph.get_operations() for operation in with_functions(called, graph))
    return all(one.type in READING or not (definition_of(one).is_stateful or one.type == "PyFuncStateless") for one in operations)


def trace(model: Any, inputs: Any, training: bool, layers: Mapping[int, str]) -> Traced:
    """Trace `model(inputs, training=training)`, without XLA; nothing is run.

    What is served is traced as an export traces it, where the model can be: for batches of any size, and for whatever else its
    inputs leave open. The graph for the probe's own shapes gives other last bits (measured for ConvLSTM).

    Names of operations do not tell the layer: TensorFlow numbers a scope that is entered again as Keras numbers layers.

    Args:
        layers: storage paths by the identity of the layer.
    """
    own = tf.nest.map_structure(_spec, inputs)
    if not training:
        with contextlib.suppress(Exception):  # a model that asks for the size of its batch
            return _traced(model, _exported(model, own), training, layers)
    return _traced(model, own, training, layers)


_Entered = list[tuple[Any, int, str]]
"""A graph, how many operations it had, and the layer whose turn it was."""


def _traced(model: Any, specs: Any, training: bool, layers: Mapping[int, str]) -> Traced:
    entered = _Entered()

    def call(x: Any) -> Any:
        with _telling_layers(layers, entered):
            return model(x, training=training)

    function = tf.function(call, autograph=False, jit_compile=False).get_concrete_function(specs)
    return Traced(function=function, graph=function.graph, owners=_owners(function.graph, entered))


def _owners(graph: Any, entered: _Entered) -> tuple[str, ...]:
    """For every operation of a graph the layer that made it."""
    count = len(graph.get_operations())
    owners = [""] * count
    marks = [(position, layer) for one, position, layer in entered if one is graph]
    for (start, layer), (end, _) in pairwise([*marks, (count, "")]):
        owners[start:end] = [layer] * (end - start)
    return tuple(owners)


@contextmanager
def _telling_layers(layers: Mapping[int, str], entered: _Entered) -> Iterator[None]:
    """Note, whenever a layer is called or returns, the graph, how many operations it has, and whose turn it is."""
    original, stack = keras.layers.Layer.__call__, [""]

    def mark() -> None:
        graph = tf.compat.v1.get_default_graph()
        entered.append((graph, len(graph.get_operations()), stack[-1]))

    def call(layer: Any, *arguments: Any, **named: Any) -> Any:
        stack.append(layers.get(id(layer), stack[-1]))
        mark()
        try:
            return original(layer, *arguments, **named)
        finally:
            stack.pop()
            mark()

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original


def _exported(model: Any, own: Any) -> Any:
    """The probe's specifications with the shapes of an export. Keras gives those of a subclassed model only once it was called,
    which one that was loaded has not been: it knows them all the same, and whoever traces puts the mark back."""
    vars(model)["_called"] = True
    shapes = [leaf.shape for leaf in tf.nest.flatten(get_input_signature(model))]
    leaves = tf.nest.flatten(own)
    if len(shapes) != len(leaves):
        return own
    opened = [
        tf.TensorSpec(shape, one.dtype) if isinstance(one, tf.TensorSpec) else one
        for shape, one in zip(shapes, leaves, strict=True)
    ]
    return tf.nest.pack_sequence_as(own, opened)


def _spec(leaf: Any) -> Any:
    return tf.type_spec_from_value(leaf if tf.is_tensor(leaf) else tf.constant(leaf))


def untracked(traces: Iterable[Traced], known: set[int]) -> list[tuple[str, Any]]:
    """Variables that the graphs use and the model does not list, each under the path of the layer that reads it first.

    Args:
        known: identities of the `tf.Variable`s that the model lists.
    """
    found: dict[int, tuple[str, Any]] = {}
    counts: dict[str, int] = {}
    for one in traces:
        readers = _readers(one)
        first = {identity: position for position, identity in enumerate(readers)}
        for variable in sorted(one.graph.variables, key=lambda v: first.get(id(v), len(first))):  # TensorFlow has them in a set
            if id(variable) in known or id(variable) in found:
                continue
            layer = readers.get(id(variable), "")
            number = counts[layer] = counts.get(layer, -1) + 1
            found[id(variable)] = (f"untracked/{layer or 'model'}/{number}", variable)
    return list(found.values())


def _readers(one: Traced) -> dict[int, str]:
    """The layer of the first operation that uses each captured variable."""
    graph = one.graph
    placeholders = {id(inner): id(outer) for outer, inner in graph.captures}
    handles = {id(variable.handle): id(variable) for variable in graph.variables}
    found: dict[int, str] = {}
    for operation, layer in zip(graph.get_operations(), one.owners, strict=True):
        for tensor in operation.inputs:
            variable = handles.get(placeholders.get(id(tensor), -1))
            if variable is not None:
                found.setdefault(variable, layer)
    return found


Names = Mapping[int, str]
"""What variables are known by, wherever the model is loaded, by the identities of their handles."""


def graphs(one: Traced, mode: str, names: Names) -> Iterator[Graph]:
    """What every layer does in a graph that was traced of this mode; a layer that is given what another one gives comes later."""
    parts: dict[str, list[Computed]] = {}
    operations = computed(one.graph, named(one.graph, names), captured(one.graph))
    for operation, layer in zip(operations.values(), one.owners, strict=True):
        if not operation.given and operation.kinds != ["Placeholder"]:
            parts.setdefault(layer, []).append(operation)
    for layer, of_layer in parts.items():
        yield Graph(
            layer=layer,
            operations=_hashed(" ".join(kind for one in of_layer for kind in one.kinds).encode()),
            constants=_hashed(b"".join(value for one in of_layer for value in one.constants)),
            wiring=digest_of_all(of_layer).hex(),
            random_operations=tuple(dict.fromkeys(kind for one in of_layer for kind in one.drawn)),
            unseen_operations=tuple(sorted({kind for one in of_layer for kind in one.unseen})),
            mode=mode,
        )


def _hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def step_graphs(model: Any, names: Callable[[], Names], step: str = TRAIN_STEP) -> Iterator[list[Graph]]:
    """The graph of a step, of training or of testing, as the block last traced it: there once the block has ended. None under a
    distribution strategy, whose own operations are in it.

    Where the first trace makes variables, as those of metrics, TensorFlow traces again and runs that.
    """
    name = METHODS[step]
    found, last, original, own = list[Graph](), list[Any](), getattr(model, name), name in vars(model)

    def traced(*arguments: Any, **named: Any) -> Any:
        logs, graph = original(*arguments, **named), tf.compat.v1.get_default_graph()
        if graph.building_function and not tf.distribute.has_strategy():
            last[:] = [(graph, logs)]
        return logs

    setattr(model, name, traced)
    try:
        yield found
        found += [_graph_of_step(graph, logs, step, names()) for graph, logs in last]
    finally:
        if own:
            setattr(model, name, original)
        else:
            delattr(model, name)


METHODS = {TRAIN_STEP: "train_step", TEST_STEP: "test_step"}


def trace_step(model: Any, batch: Any, step: str = TRAIN_STEP) -> None:
    """Trace a step that runs eagerly, to be looked into: nothing is run.

    Args:
        batch: as `fit` gives it to the step, whose variables are all there.
    """
    tensors = tf.nest.map_structure(lambda leaf: leaf if leaf is None or tf.is_tensor(leaf) else tf.constant(leaf), batch)
    with model.distribute_strategy.scope():
        tf.function(getattr(model, METHODS[step]), autograph=False, jit_compile=False).get_concrete_function(tensors)


def _graph_of_step(graph: Any, logs: Any, step: str, names: Names) -> Graph:
    """All of it together, in whatever order: gradients are of no layer."""
    found = computed(graph, named(graph, names), captured(graph))
    operations = counted(found.values())
    # In their order, so that two that only a number tells apart cannot change places.
    logged = [
        f"{unnumbered(name)} {digest_of(tensor, found).hex()}"
        for name, value in logs.items()
        for tensor in keras.tree.flatten(value)
        if getattr(tensor, "graph", None) is graph
    ]
    kinds = sorted(kind for one in operations for kind in one.kinds)
    constants = sorted(value for one in operations for value in one.constants)
    return Graph(
        layer=step,
        operations=_hashed(" ".join(kinds).encode()),
        constants=_hashed(b"".join(constants)),
        wiring=_hashed(digest_of_all(operations) + "\n".join(logged).encode()),
        random_operations=tuple(sorted({kind for one in operations for kind in one.drawn})),
        unseen_operations=tuple(sorted({kind for one in operations for kind in one.unseen})),
    )
