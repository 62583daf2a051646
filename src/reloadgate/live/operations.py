"""What the operations of a graph compute with: constants, what they take from outside of it, functions that they call, and
which of them is given what another one gives."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph


@dataclass(frozen=True, slots=True)
class Computed:
    """What one operation computes; of all that it calls too, after what is its own."""

    kinds: list[str]
    constants: list[bytes]
    drawn: list[str]
    """Types of operations that draw from TensorFlow's global generator."""
    unseen: list[str]
    """Types of operations that compute with what is in no graph."""
    digest: bytes
    """Over the operation and, by their own digests, what it is given."""
    given: bool = False
    """It is a constant that others are given, and counts with each of them: a tensor that a model was made with is one for all
    that use it, and after a reload each of them has its own."""


UNSEEN = {"EagerPyFunc", "PyFunc", "PyFuncStateless", "ReadFile"}
"""Operations that compute with what is in no graph: Python, and files."""

IN_ANY_ORDER = {"Add", "AddN", "AddV2", "Equal", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mul", "NotEqual"}
"""Operations of which it is all the same in which order they are given their inputs; TensorFlow's gradients have some."""


def computed(
    graph: Any, given: Mapping[str, bytes], constants: Mapping[str, bytes] | None = None, library: Any = None
) -> dict[str, Computed]:
    """What the operations of a graph compute, by their names, in their order.

    Args:
        given: digests of what comes from outside, by the placeholders that stand for it; others are known by their places.
        constants: those of what is as constant as if it were in the graph.
        library: the graph that holds the functions; the graph itself where None.
    """
    constants = constants or {}
    given = {**given, **constants}
    operations = graph.get_operations()
    places = iter(range(len(operations)))
    leaves = {
        one.name: given[one.name] if one.name in given else f"argument {next(places)}".encode()
        for one in operations
        if one.type == "Placeholder"
    }
    found, begun = dict[str, Computed](), set[str]()
    for last in operations:
        waiting = [last]
        while waiting:  # what an operation is given may come after it: TensorFlow rewrites loops for their gradients
            operation = waiting[-1]
            sources = [] if operation.name in begun else [tensor.op for tensor in operation.inputs]
            begun.add(operation.name)
            missing = [source for source in sources if source.name not in begun]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if operation.name not in found:
                inputs = [digest_of(tensor, found) for tensor in operation.inputs]
                leaf = leaves.get(operation.name, b"")
                if operation.type == "Const" or (leaf and operation.name in constants):
                    found[operation.name] = _constant(operation, leaf)
                else:
                    taken = [one for tensor in operation.inputs if (one := found.get(tensor.op.name)) and one.given]
                    found[operation.name] = _computed(operation, inputs, taken, leaf, library or graph)
    return {one.name: found[one.name] for one in operations}


def digest_of(tensor: Any, found: Mapping[str, Computed]) -> bytes:
    """Of what an operation gives."""
    source = found.get(tensor.op.name)  # none within a loop that is made of operations
    return (source.digest if source else tensor.op.type.encode()) + b":%d" % tensor.value_index


def _constant(operation: Any, leaf: bytes) -> Computed:
    """A constant of the graph, or a tensor from outside of it: one and the same, whatever holds the numbers."""
    own = leaf or constants_of(operation)
    given = any(tensor.consumers() for tensor in operation.outputs)
    return Computed(kinds=["Const"], constants=[own], drawn=[], unseen=[], digest=_joined([b"Const", own]), given=given)


def _computed(operation: Any, inputs: list[bytes], taken: list[Computed], leaf: bytes, library: Any) -> Computed:
    own = constants_of(operation)
    kinds = [*(kind for one in taken for kind in one.kinds), operation.type]
    constants, drawn = [*(value for one in taken for value in one.constants), own], [operation.type] * draws(operation)
    unseen = [operation.type] * (operation.type in UNSEEN)
    parts = [
        operation.type.encode(),
        own,
        _switches(operation),
        leaf,
        *(sorted(inputs) if operation.type in IN_ANY_ORDER else inputs),
    ]
    for graph, holder in functions_of(operation, library):
        before = len(inputs) - len(graph.inputs)  # what a condition is decided by
        given = {one.op.name: inputs[before + place] for place, one in enumerate(graph.inputs)} if before >= 0 else {}
        within = computed(graph, given, library=holder)
        for one in counted(within.values()):
            kinds += one.kinds
            constants += one.constants
            drawn += one.drawn
            unseen += one.unseen
        parts += [digest_of(tensor, within) for tensor in graph.outputs]
        parts.append(digest_of_all(within.values()))
    return Computed(kinds=kinds, constants=constants, drawn=drawn, unseen=unseen, digest=_joined(parts))


def counted(operations: Iterable[Computed]) -> list[Computed]:
    """The operations without the constants that count with others."""
    return [one for one in operations if not one.given]


def digest_of_all(operations: Iterable[Computed]) -> bytes:
    """Over operations in whatever order."""
    return _joined(sorted(one.digest for one in counted(operations)))


def _joined(parts: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).digest()


def with_functions(operation: Any, library: Any) -> Iterator[Any]:
    """The operation, and those of the functions that it calls, as the branches of a condition or the body of a loop.

    Args:
        library: the graph that holds the functions.
    """
    yield operation
    for graph, holder in functions_of(operation, library):
        for inner in graph.get_operations():
            yield from with_functions(inner, holder)


def functions_of(operation: Any, library: Any) -> Iterator[tuple[Any, Any]]:
    """The graphs of the functions that an operation calls, each with the graph that holds those that it calls in turn.

    As they were defined: once something was differentiated, TensorFlow adds to the graph that it traced.
    """
    for attribute in definition_of(operation).attr:
        if attribute.type in ("func", "list(func)"):
            given = operation.get_attr(attribute.name)
            for one in given if attribute.type == "list(func)" else [given]:
                function = library._get_function(one.name)
                holder = getattr(function, "graph", library)  # of a graph that was imported all functions are in that one
                yield _defined(function, holder), holder


_graphs: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def _defined(function: Any, holder: Any) -> Any:
    if function not in _graphs:
        with holder.as_default():
            _graphs[function] = function_def_to_graph(function.definition)
    return _graphs[function]


def definition_of(operation: Any) -> Any:
    """The definition of its type, which `op_def` reads anew for every operation; a function that is called has its own."""
    return op_def_registry.get(operation.type) or operation.op_def


def draws(operation: Any) -> bool:
    """Operations with seeds of their own take their numbers from TensorFlow's generator, unless they are stateless."""
    definition = definition_of(operation)
    return bool(definition.is_stateful) and {"seed", "seed2"} <= {attribute.name for attribute in definition.attr}


def captured(graph: Any) -> dict[str, bytes]:
    """What the graph takes from outside of it, by the placeholder that stands for each: tensors, because of an eager one with
    more than 128 numbers TensorFlow makes no constant, and what lookup tables hold. Variables are compared as such."""
    found = {}
    for outer, inner in _taken(graph):
        if outer.dtype == tf.variant:
            continue
        if outer.dtype != tf.resource:
            found[inner.op.name] = _digest(outer.numpy())
        elif kinds := next(_kinds_of_table(inner, graph), None):
            found[inner.op.name] = _digest_of_table(outer, *kinds)
    return found


def named(graph: Any, names: Mapping[int, str]) -> dict[str, bytes]:
    """The variables that the graph takes from outside of it, by the placeholder that stands for each.

    Args:
        names: what a variable is known by, by the identity of its handle.
    """
    return {inner.op.name: names.get(id(outer), "variable").encode() for outer, inner in _taken(graph)}


def _taken(graph: Any) -> Iterator[tuple[Any, Any]]:
    """Eager tensors and handles, each with what stands for it in the graph."""
    for outer, inner in graph.captures:
        while outer is not None and not hasattr(outer, "numpy"):  # of the graph around this one, which may have it from outside
            outer = next((further for further, own in outer.graph.captures if own is outer), None)
        if outer is not None:
            yield outer, inner


def _kinds_of_table(handle: Any, library: Any) -> Iterator[tuple[Any, Any]]:
    """The dtypes of keys and values with which operations use a lookup table; nothing for a handle of something else."""
    for operation in handle.consumers():
        if operation.type in ("LookupTableFindV2", "LookupTableInsertV2", "LookupTableImportV2"):
            yield operation.get_attr("Tin"), operation.get_attr("Tout")
        elif operation.type == "LookupTableExportV2":
            yield operation.get_attr("Tkeys"), operation.get_attr("Tvalues")
        for graph, holder in functions_of(operation, library):
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


def constants_of(operation: Any) -> bytes:
    """What an operation computes with and is not given: the value of a constant, or attributes as the slope of a LeakyRelu.

    Of an operation with state only numbers of type float: others tell where it is kept, as the name of a table, or a seed drawn
    anew. Of one that calls functions none: they tell how it is run, and the functions are looked at themselves. A token is the
    number of a Python function in this process.
    """
    if operation.type == "Const":
        return _digest(tf.make_ndarray(operation.get_attr("value")))
    definition = definition_of(operation)
    kinds = {attribute.name: attribute.type for attribute in definition.attr}
    if "func" in kinds.values():
        return b""
    values_of = ("float", "list(float)") if definition.is_stateful else _VALUES
    names, given = [name for name, kind in kinds.items() if kind in values_of and name != "token"], operation.node_def.attr
    if definition.is_stateful and not names:
        return b""
    values = [f"{name}={given[name].SerializeToString(deterministic=True)!r}" for name in names]
    return f"{operation.type}({', '.join(values)})".encode()


def _switches(operation: Any) -> bytes:
    """What else an operation with state is told: how it moves a variable, say, and no text nor seed, as `constants_of` has it."""
    definition = definition_of(operation)
    if not definition.is_stateful or any(attribute.type == "func" for attribute in definition.attr):
        return b""
    names = [one.name for one in definition.attr if one.type in ("bool", "int", "type") and not one.name.startswith("seed")]
    given = operation.node_def.attr if names else {}
    return b"".join(name.encode() + given[name].SerializeToString(deterministic=True) for name in names)


def _digest(value: Any) -> bytes:
    array = np.asarray(value)
    data = repr(array.tolist()).encode() if array.dtype.kind == "O" else array.tobytes()
    return f"{array.dtype}{array.shape}".encode() + hashlib.sha256(data).digest()
