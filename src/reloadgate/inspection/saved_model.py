"""A SavedModel: what its graph and every function of its library may do.

Operations are those of the table; only what reaches files needs more than a name. A save or restore operation is allowed in what
the saver definition names, on the prefix that the caller gives; a table is filled from a file only where that is an asset.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from reloadgate.inspection import bundle
from reloadgate.inspection.declared import operations
from reloadgate.inspection.found import RefusedError, Report
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.messages import message
from reloadgate.inspection.pickles import is_pickle
from reloadgate.inspection.reading import Folder, odd_character

GRAPH, VARIABLES, ASSETS = "saved_model.pb", "variables/variables", "assets/"
KNOWN = {GRAPH, "fingerprint.pb"}
SAVES = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}
FILLS = {"InitializeTableFromTextFileV2": 1, "InitializeTableFromTextFile": 1}
"""Operations that read a file, and which of their inputs names it."""
NAMES_A_FILE = {"SaveV2": (0,), "RestoreV2": (0,), "MergeV2Checkpoints": (0, 1), "ShardedFilename": (0,)}
# How a path is made out of the caller's prefix. Constants may be joined to it, or chosen between, but never be it.
PASSES = {"Identity": (0,), "StringJoin": (0,), "ShardedFilename": (0,), "Pack": None, "Reshape": (0,), "ExpandDims": (0,)}
JOINED = re.compile(rb"[\w.*^:/-]{0,64}")
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def inspect(folder: Folder, limits: Limits, report: Report) -> None:
    report.kind = "saved model"
    if GRAPH not in folder.files:
        raise RefusedError("missing-member", GRAPH, "the graph is missing", "export the model again")
    source = folder.files[GRAPH]
    if not source.size:
        raise RefusedError("empty", GRAPH, "it has no bytes")
    model = message("SavedModel", source.read(), GRAPH)
    if len(model.meta_graphs) != 1:
        raise RefusedError("graph", GRAPH, f"{len(model.meta_graphs)} graphs, and exactly one is read")
    graph = model.meta_graphs[0]
    if version := graph.meta_info_def.tensorflow_version:
        report.versions.add(f"tensorflow {version[:40]}")
    _Graph(graph, limits, report).check()
    _check_assets(graph, folder, report)
    _check_files(folder, report)
    if any(name.startswith("variables/") for name in folder.files):
        bundle.inspect(folder, VARIABLES, limits, report)
    elif any(node.WhichOneof("kind") == "variable" for node in graph.object_graph_def.nodes):
        report.refuse("missing-index", f"{VARIABLES}.index", "the graph has variables, and their values are missing")


def _check_assets(graph: Any, folder: Folder, report: Report) -> None:
    for asset in graph.asset_file_def:
        name = asset.filename
        if not name or "\\" in name or name.startswith("/") or ".." in name.split("/") or odd_character(name):
            report.refuse("path", GRAPH, f"the asset {name!r} is no file of the model")
        elif ASSETS + name not in folder.files:
            report.refuse("missing-member", ASSETS + name, "the graph needs this asset, which is missing")


def _check_files(folder: Folder, report: Report) -> None:
    for name, source in folder.files.items():
        if not name.endswith(".txt") and is_pickle(source):
            report.refuse("pickle", name, "a pickle, which runs when it is read")
        elif name.startswith(ASSETS):
            continue  # data that the graph reads, as text or as what its operations parse
        elif name == "keras_metadata.pb":
            report.refuse("undeclared-class", name, "layers of Keras 2, which may hold code", "export the model with Keras 3")
        elif name not in KNOWN and not re.fullmatch(rf"{VARIABLES}\.(index|data-\d{{5}}-of-\d{{5}})", name):
            report.note("extra-file", name, "TensorFlow writes no such file, and reads none")


class _Body:
    """The nodes of the graph, or of one function: what an input comes from."""

    def __init__(self, name: str, nodes: Any, arguments: list[str]) -> None:
        self.name, self.nodes, self.arguments = name, nodes, arguments
        self.by_name = {node.name: node for node in nodes}

    def origin(self, reference: str) -> Any:
        """The node that an input comes from, the argument's name, or None of neither."""
        name = reference.split(":")[0]
        return name if name in self.arguments else self.by_name.get(name)


class _Graph:
    """The whole of a meta graph."""

    def __init__(self, graph: Any, limits: Limits, report: Report) -> None:
        self._graph, self._report, self._most = graph, report, limits.memory
        library = graph.graph_def.library.function
        self._functions = {
            f.signature.name: _Body(f.signature.name, f.node_def, [one.name for one in f.signature.input_arg]) for f in library
        }
        if len(self._functions) != len(library):
            raise RefusedError("graph", GRAPH, "two functions have one name")
        saver = graph.saver_def
        self._filename = saver.filename_tensor_name.split(":")[0]
        self._top = _Body("", graph.graph_def.node, [])
        total = len(self._top.nodes) + sum(len(body.nodes) for body in self._functions.values())
        if total > limits.objects:
            raise RefusedError("too-many", GRAPH, f"{total} nodes; the limit is {limits.objects}")
        for body in (self._top, *self._functions.values()):
            if len(body.by_name) != len(body.nodes):
                raise RefusedError("graph", f"{GRAPH}:{body.name}", "two nodes have one name")
        self._savers = {saver.save_tensor_name.split(":")[0].lstrip("^"), saver.restore_op_name.split(":")[0].lstrip("^")} - {""}
        self._used = self._uses()

    def check(self) -> None:
        strange: dict[str, str] = {}
        for body in (self._top, *self._functions.values()):
            for node in body.nodes:
                if node.op in SAVES:
                    self._check_save(node, body)
                elif node.op in FILLS:
                    self._check_fill(node, body)
                elif node.op not in operations() and node.op not in self._functions:
                    strange.setdefault(node.op, f"{body.name}/{node.name}".lstrip("/"))
                elif node.op == "Const":
                    self._check_constant(node, body)
                elif node.op not in self._functions:
                    self._check_devices(node, body)
                for name in _called(node):
                    if name not in self._functions:
                        self._report.refuse("graph", f"{GRAPH}:{node.name}", f"it calls {name!r}, which is not there")
        for operation, where in sorted(strange.items()):
            self._report.refuse("graph-operation", f"{GRAPH}:{where}", f"the operation {operation}, which models do not need")

    def _check_constant(self, node: Any, body: _Body) -> None:
        """A constant may be one value that is repeated: its size is what it declares."""
        shape = node.attr["value"].tensor.tensor_shape
        values = math.prod(max(0, dim.size) for dim in shape.dim)
        if values * 8 > self._most:
            where = f"{GRAPH}:{body.name}/{node.name}"
            self._report.refuse("declared-size", where, f"a constant of {values} values")

    def _check_devices(self, node: Any, body: _Body) -> None:
        if "/job:" in node.device and "/job:localhost" not in node.device:
            self._report.refuse(
                "graph-operation", f"{GRAPH}:{body.name}/{node.name}", f"it runs on another machine, {node.device}"
            )

    def _uses(self) -> dict[str, list[tuple[_Body, Any]]]:
        """Which nodes name a function, by the function."""
        found: dict[str, list[tuple[_Body, Any]]] = {}
        for body in (self._top, *self._functions.values()):
            for node in body.nodes:
                for name in _called(node):
                    found.setdefault(name, []).append((body, node))
        return found

    def _check_save(self, node: Any, body: _Body) -> None:
        """It is in what the saver definition names, and what it names as a file comes from the saver's own prefix."""
        where = f"{GRAPH}:{body.name}/{node.name}"
        if body is not self._top and not self._is_savers(body.name):
            self._report.refuse("graph-operation", where, f"{node.op} in a function that the saver definition does not name")
            return
        inputs = _data_inputs(node)
        for number in NAMES_A_FILE[node.op]:
            if number >= len(inputs) or not self._from_prefix(inputs[number], body, 0):
                self._report.refuse("graph-operation", where, f"{node.op} of a file that the graph names itself")

    def _is_savers(self, function: str, depth: int = 0) -> bool:
        """Whether nothing uses the function but the nodes of the saver definition, or the object graph's own savers."""
        uses = self._used.get(function, [])
        if depth > 4 or (self._is_bound(function) and function not in self._saveables()):
            return False
        for body, node in uses:
            top = body is self._top and node.name in self._savers and node.op in CALLS
            inputs = _data_inputs(node)
            if top and inputs and inputs[0].split(":")[0] == self._filename:
                continue
            if body is self._top or node.op not in CALLS or not inputs or not self._from_prefix(inputs[0], body, 0):
                return False
            if not self._is_savers(body.name, depth + 1):
                return False
        return bool(uses) or function in self._saveables()

    def _saveables(self) -> set[str]:
        """Functions with which the object graph saves and restores an object."""
        nodes = self._graph.object_graph_def.nodes
        numbers = {
            n for node in nodes for one in node.saveable_objects.values() for n in (one.save_function, one.restore_function)
        }
        names = {nodes[n].bare_concrete_function.concrete_function_name for n in numbers if 0 < n < len(nodes)}
        return {name for name in names if name}

    def _is_bound(self, function: str) -> bool:
        """Whether the object graph offers the function to be called, as a signature or a method."""
        return function in self._graph.object_graph_def.concrete_functions

    def _from_prefix(self, reference: str, body: _Body, depth: int) -> bool:
        """Whether a file name starts with the prefix that the caller gives."""
        origin = body.origin(reference)
        if isinstance(origin, str):
            return origin == body.arguments[0]
        if origin is None or depth > 20:
            return False
        if body is self._top and origin.name == self._filename and origin.op in ("Placeholder", "PlaceholderWithDefault"):
            return True
        if origin.op not in PASSES:
            return False
        inputs, numbers = _data_inputs(origin), PASSES[origin.op]
        followed = inputs if numbers is None else [inputs[n] for n in numbers if n < len(inputs)]
        rest = [] if numbers is None else inputs[1:]
        return (
            bool(followed)
            and all(self._from_prefix(one, body, depth + 1) for one in followed)
            and all(_joined(body.origin(one), body, 0) for one in rest)
        )

    def _check_fill(self, node: Any, body: _Body) -> None:
        where, inputs = f"{GRAPH}:{body.name}/{node.name}", _data_inputs(node)
        name = inputs[FILLS[node.op]] if len(inputs) > FILLS[node.op] else ""
        if not self._from_asset(name, body, 0):
            self._report.refuse("graph-operation", where, "a table that is filled from a file which is no asset of the model")

    def _assets(self) -> set[str]:
        return {one.tensor_info.name.split(":")[0] for one in self._graph.asset_file_def}

    def _from_asset(self, reference: str, body: _Body, depth: int) -> bool:
        """Whether a file name is an asset's, wherever the function is called from."""
        origin = body.origin(reference)
        if depth > 10 or origin is None:
            return False
        if isinstance(origin, str):
            return self._argument_is_asset(body, body.arguments.index(origin), depth)
        inputs = _data_inputs(origin)
        if origin.op == "Identity" and inputs:
            return self._from_asset(inputs[0], body, depth + 1)
        if body is not self._top:
            return False
        if origin.op in ("Placeholder", "Const") and origin.name in self._assets():
            return True
        if origin.op == "ReadVariableOp" and inputs:
            handle = inputs[0].split(":")[0]
            assigned = [
                _data_inputs(n)[1] for n in body.nodes if n.op == "AssignVariableOp" and _data_inputs(n)[:1] == [inputs[0]]
            ]
            owner = body.by_name.get(handle)
            return owner is not None and bool(assigned) and all(self._from_asset(one, body, depth + 1) for one in assigned)
        return False

    def _argument_is_asset(self, body: _Body, number: int, depth: int) -> bool:
        bound = self._graph.object_graph_def.concrete_functions.get(body.name) if self._is_bound(body.name) else None
        nodes = self._graph.object_graph_def.nodes
        if bound is not None:
            captured = number - (len(body.arguments) - len(bound.bound_inputs))
            if captured < 0 or not 0 <= bound.bound_inputs[captured] < len(nodes):
                return False
            if nodes[bound.bound_inputs[captured]].WhichOneof("kind") != "asset":
                return False
        uses = self._used.get(body.name, [])
        for user, node in uses:
            inputs = _data_inputs(node)
            if node.op not in CALLS or number >= len(inputs) or not self._from_asset(inputs[number], user, depth + 1):
                return False
        return bool(uses) or bound is not None


def _data_inputs(node: Any) -> list[str]:
    return [one for one in node.input if not one.startswith("^")]


def _joined(origin: Any, body: _Body, depth: int) -> bool:
    """Whether what is joined to a prefix is a constant that stays where the prefix leads, or a choice of such."""
    if origin is None or isinstance(origin, str) or depth > 5:
        return False
    if origin.op == "Const":
        values = [*origin.attr["value"].tensor.string_val]
        return all(JOINED.fullmatch(one) and b".." not in one for one in values)
    if origin.op in ("Select", "SelectV2"):
        return all(_joined(body.origin(one), body, depth + 1) for one in _data_inputs(origin)[1:])
    return False


def _called(node: Any) -> Iterator[str]:
    """Functions that a node's attributes name."""
    for attribute in node.attr.values():
        kind = attribute.WhichOneof("value")
        if kind == "func":
            yield attribute.func.name
        elif kind == "list":
            yield from (one.name for one in attribute.list.func)
