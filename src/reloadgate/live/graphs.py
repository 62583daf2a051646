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
import numpy as np
import tensorflow as tf
from keras.src.export.export_utils import get_input_signature
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from reloadgate.evidence import TEST_STEP, TRAIN_STEP, Graph

READING = {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "LookupTableFindV2"}
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
    operations = (operation for called in graph.get_operations() for operation in _with_functions(called, graph))
    return all(one.type in READING or not (one.op_def.is_stateful or one.type == "PyFuncStateless") for one in operations)


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
        for variable in one.graph.variables:
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


def graphs(one: Traced, mode: str) -> Iterator[Graph]:
    """What every layer does in a graph that was traced of this mode."""
    parts: dict[str, tuple[list[str], Any, list[str]]] = {}
    captured = _captured(one.graph)
    for called, layer in zip(one.graph.get_operations(), one.owners, strict=True):
        if called.type == "Placeholder" and called.name not in captured:
            continue
        kinds, constants, random_operations = parts.setdefault(layer, ([], hashlib.sha256(), []))
        if called.type == "Placeholder":
            constants.update(captured[called.name])
            continue
        for operation in _with_functions(called, one.graph):
            kinds.append(operation.type)
            constants.update(_constants(operation))
            if _draws(operation) and operation.type not in random_operations:
                random_operations.append(operation.type)
    for layer, (kinds, constants, random_operations) in sorted(parts.items()):
        yield Graph(
            layer=layer,
            operations=hashlib.sha256(" ".join(kinds).encode()).hexdigest(),
            constants=constants.hexdigest(),
            random_operations=tuple(random_operations),
            mode=mode,
        )


def _with_functions(operation: Any, library: Any) -> Iterator[Any]:
    """The operation, and those of the functions that it calls, as the branches of a condition or the body of a loop.

    Args:
        library: the graph that holds the functions.
    """
    yield operation
    for graph, holder in _functions(operation, library):
        for inner in graph.get_operations():
            yield from _with_functions(inner, holder)


def _functions(operation: Any, library: Any) -> Iterator[tuple[Any, Any]]:
    """The graphs of the functions that an operation calls, each with the graph that holds those that it calls in turn."""
    for attribute in operation.op_def.attr:
        if attribute.type in ("func", "list(func)"):
            given = operation.get_attr(attribute.name)
            for one in given if attribute.type == "list(func)" else [given]:
                function = library._get_function(one.name)
                if hasattr(function, "graph"):
                    yield function.graph, function.graph
                else:  # of a graph that was imported, whose functions are all in this one, called by name or as an operation
                    with library.as_default():
                        imported = function_def_to_graph(function.definition)
                    yield imported, library


def _draws(operation: Any) -> bool:
    """Random operations that are not stateless take their numbers from TensorFlow's own generator."""
    kind = operation.type
    return bool(operation.op_def.is_stateful) and ("Random" in kind or kind in ("Multinomial", "ParameterizedTruncatedNormal"))


def _captured(graph: Any) -> dict[str, bytes]:
    """What the graph takes from outside of it, by the placeholder that stands for each: tensors, because of an eager one with
    more than 128 numbers TensorFlow makes no constant, and what lookup tables hold. Variables are compared as such."""
    found = {}
    for outer, inner in graph.captures:
        while outer is not None and not hasattr(outer, "numpy"):  # of the graph around this one, which may have it from outside
            outer = next((further for further, own in outer.graph.captures if own is outer), None)
        if outer is None or outer.dtype == tf.variant:
            continue
        if outer.dtype != tf.resource:
            found[inner.op.name] = _digest(outer.numpy())
        elif kinds := next(_kinds_of_table(inner, graph), None):
            found[inner.op.name] = _digest_of_table(outer, *kinds)
    return found


def _kinds_of_table(handle: Any, library: Any) -> Iterator[tuple[Any, Any]]:
    """The dtypes of keys and values with which operations use a lookup table; nothing for a handle of something else."""
    for operation in handle.consumers():
        if operation.type in ("LookupTableFindV2", "LookupTableInsertV2"):
            yield operation.get_attr("Tin"), operation.get_attr("Tout")
        for graph, holder in _functions(operation, library):
            before = len(operation.inputs) - len(graph.inputs)  # what a condition is decided by
            for position, given in enumerate(operation.inputs):
                if given is handle and position >= before:
                    yield from _kinds_of_table(graph.inputs[position - before], holder)


def _digest_of_table(handle: Any, kind_of_keys: Any, kind_of_values: Any) -> bytes:
    """Of what is in it, in whatever order."""
    with tf.init_scope():
        exported = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=kind_of_keys, Tvalues=kind_of_values)
        pairs = zip(*(map(repr, np.asarray(part).tolist()) for part in exported), strict=True)
    return hashlib.sha256("\n".join(sorted({" ".join(pair) for pair in pairs})).encode()).digest()


_VALUES = {kind for one in ("bool", "float", "int", "string", "type") for kind in (one, f"list({one})")}
"""The kinds of attributes that are values: no shapes, which are the batch's, and no functions, whose names are numbered."""


def _constants(operation: Any) -> bytes:
    """What an operation computes with and is not given: the value of a constant, or attributes as the slope of a LeakyRelu.

    Of an operation with state only numbers of type float: others tell where it is kept, as the name of a table, or a seed drawn
    anew. Of one that calls functions none: they tell how it is run, and the functions are looked at themselves. A token is the
    number of a Python function in this process.
    """
    if operation.type == "Const":
        return _digest(tf.make_ndarray(operation.get_attr("value")))
    definition = operation.op_def
    kinds = {attribute.name: attribute.type for attribute in definition.attr}
    if "func" in kinds.values():
        return b""
    values_of = ("float", "list(float)") if definition.is_stateful else _VALUES
    names, given = [name for name, kind in kinds.items() if kind in values_of and name != "token"], operation.node_def.attr
    if definition.is_stateful and not names:
        return b""
    values = [f"{name}={given[name].SerializeToString(deterministic=True)!r}" for name in names]
    return f"{operation.type}({', '.join(values)})".encode()


def _digest(value: Any) -> bytes:
    array = np.asarray(value)
    data = repr(array.tolist()).encode() if array.dtype.kind == "O" else array.tobytes()
    return f"{array.dtype}{array.shape}".encode() + hashlib.sha256(data).digest()


@contextmanager
def step_graphs(model: Any, step: str = TRAIN_STEP) -> Iterator[list[Graph]]:
    """The graph of a step, of training or of testing, as the block last traced it; none under a distribution strategy, whose own
    operations are in it.

    Where the first trace makes variables, as those of metrics, TensorFlow traces again and runs that.
    """
    name = METHODS[step]
    found, original, own = list[Graph](), getattr(model, name), name in vars(model)

    def traced(*arguments: Any, **named: Any) -> Any:
        logs, graph = original(*arguments, **named), tf.compat.v1.get_default_graph()
        if graph.building_function and not tf.distribute.has_strategy():
            found[:] = [_graph_of_step(graph, step)]
        return logs

    setattr(model, name, traced)
    try:
        yield found
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


def _graph_of_step(graph: Any, step: str) -> Graph:
    """All of it together, in whatever order: gradients are of no layer."""
    operations = [operation for called in graph.get_operations() for operation in _with_functions(called, graph)]
    kinds = sorted(operation.type for operation in operations)
    constants = sorted([*map(_constants, operations), *_captured(graph).values()])
    return Graph(
        layer=step,
        operations=hashlib.sha256(" ".join(kinds).encode()).hexdigest(),
        constants=hashlib.sha256(b"".join(constants)).hexdigest(),
        random_operations=tuple(sorted({operation.type for operation in operations if _draws(operation)})),
    )
