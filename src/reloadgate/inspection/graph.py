"""The graph of a SavedModel: its nodes, the functions of its library, and what of either the object graph and the saver name."""

from collections.abc import Iterable, Iterator
from typing import Any

from reloadgate.inspection.found import RefusedError, first
from reloadgate.inspection.limits import Limits


class Body:
    """The nodes of the graph, or of one function: what an input comes from."""

    def __init__(self, name: str, nodes: Any, arguments: list[str]) -> None:
        self.name, self.nodes, self.arguments = name, nodes, arguments
        self.by_name = {node.name: node for node in nodes}

    def origin(self, reference: str) -> Any:
        """The node that an input comes from, the argument's name, or None of neither."""
        name = reference.split(":")[0]
        return name if name in self.arguments else self.by_name.get(name)


class Graph:
    """A meta graph, indexed.

    Raises:
        RefusedError: names in it are not unique, or it is larger than the limit.
    """

    def __init__(self, graph: Any, limits: Limits, place: str) -> None:
        library, saver, self.objects = graph.graph_def.library.function, graph.saver_def, graph.object_graph_def
        self.top = Body("", graph.graph_def.node, [])
        self.functions = {
            f.signature.name: Body(f.signature.name, f.node_def, [one.name for one in f.signature.input_arg]) for f in library
        }
        if len(self.functions) != len(library):
            raise RefusedError("graph", place, "two functions have one name")
        total = sum(len(body.nodes) for body in self.bodies)
        if total > limits.objects:
            raise RefusedError("too-many", place, f"{total} nodes; the limit is {limits.objects}")
        for body in self.bodies:
            if len(body.by_name) != len(body.nodes):
                raise RefusedError("graph", f"{place}:{body.name}", "two nodes have one name")
        offered = {node.bare_concrete_function.concrete_function_name for node in self.objects.nodes}
        offered.update(name for node in self.objects.nodes for name in node.function.concrete_functions)
        if unknown := offered - {"", *self.objects.concrete_functions}:
            raise RefusedError("graph", place, f"its objects offer functions that it does not describe: {first(unknown)}")
        self.filename = saver.filename_tensor_name.split(":")[0]
        """The placeholder that takes the prefix which the caller gives."""
        self.savers = {saver.save_tensor_name.split(":")[0].lstrip("^"), saver.restore_op_name.split(":")[0].lstrip("^")} - {""}
        self.assets = {one.tensor_info.name.split(":")[0] for one in graph.asset_file_def}
        self.used = self._uses()
        """Which nodes name a function, by the function."""
        self.run = self._behind(_run(graph))
        """Nodes that run as the model is loaded, or answers: nobody gives a prefix then."""
        self.restoring = self._behind([saver.restore_op_name])
        """Nodes that run as variables are restored."""

    @property
    def bodies(self) -> list[Body]:
        return [self.top, *self.functions.values()]

    def _uses(self) -> dict[str, list[tuple[Body, Any]]]:
        found: dict[str, list[tuple[Body, Any]]] = {}
        for body in self.bodies:
            for node in body.nodes:
                for name in (node.op, *called(node)):
                    found.setdefault(name, []).append((body, node))
        return found

    def _behind(self, references: Iterable[str]) -> set[str]:
        """Nodes of the graph that run when these do."""
        found: set[str] = set()
        waiting = [_node_of(one) for one in references]
        while waiting:
            name = waiting.pop()
            if name in self.top.by_name and name not in found:
                found.add(name)
                waiting += map(_node_of, self.top.by_name[name].input)
        return found

    def is_bound(self, function: str) -> bool:
        """Whether the object graph offers the function to be called, as a signature or a method."""
        return function in self.objects.concrete_functions


def _node_of(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]


def _run(graph: Any) -> Iterator[str]:
    """What a loader runs to initialise the model, and what a signature answers with."""
    for signature in graph.signature_def.values():
        for info in signature.outputs.values():
            yield from _tensors(info)
    for collection in graph.collection_def.values():
        yield from collection.node_list.value


def _tensors(info: Any) -> Iterator[str]:
    sparse = info.coo_sparse
    yield from (info.name, sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
    for component in info.composite_tensor.components:
        yield from _tensors(component)


def data_inputs(node: Any) -> list[str]:
    return [one for one in node.input if not one.startswith("^")]


def called(node: Any) -> Iterator[str]:
    """Functions that a node's attributes name."""
    for attribute in node.attr.values():
        kind = attribute.WhichOneof("value")
        if kind == "func":
            yield attribute.func.name
        elif kind == "list":
            yield from (one.name for one in attribute.list.func)
