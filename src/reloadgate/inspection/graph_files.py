"""The files that a graph reaches: what it saves and restores, and what its tables are filled from.

A save or restore operation is allowed in what the saver definition names, on the prefix that the caller gives, and where no
caller gives one it does not run; a table is filled from a file only where that is an asset.
"""

import re
from typing import Any

from reloadgate.inspection.found import Report
from reloadgate.inspection.graph import Body, Graph, data_inputs

SAVES = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}
WRITES = {"SaveV2", "MergeV2Checkpoints"}
FILLS = {"InitializeTableFromTextFileV2": 1, "InitializeTableFromTextFile": 1}
"""Operations that read a file, and which of their inputs names it."""
NAMES_A_FILE = {"SaveV2": (0,), "RestoreV2": (0,), "MergeV2Checkpoints": (0, 1), "ShardedFilename": (0,)}
# How a path is made out of the caller's prefix. Constants may be joined to it, or chosen between, but never be it.
PASSES = {"Identity": (0,), "StringJoin": (0,), "ShardedFilename": (0,), "Pack": None, "Reshape": (0,), "ExpandDims": (0,)}
JOINED = re.compile(rb"[\w.*^:/-]{0,64}")
DEFAULT = re.compile(rb"[\w.-]{1,64}")
"""A prefix that counts where nobody gives one; TensorFlow 1 writes `model`."""
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


class GraphFiles:
    """Refuses what reaches any file but those that the caller names, and the model's own assets."""

    def __init__(self, graph: Graph, report: Report, place: str) -> None:
        self._graph, self._report, self._place = graph, report, place

    def check(self, node: Any, body: Body) -> None:
        """Look at one operation of `SAVES` or `FILLS`."""
        if node.op in SAVES:
            self._check_save(node, body)
        else:
            self._check_fill(node, body)

    def _check_save(self, node: Any, body: Body) -> None:
        """It is in what the saver definition names, and what it names as a file comes from the saver's own prefix."""
        where = f"{self._place}:{body.name}/{node.name}"
        run = self._graph.run | (self._graph.restoring if node.op in WRITES else set())
        if body is self._graph.top and node.name in run:
            self._report.refuse("graph-operation", where, f"{node.op} in what runs when the model is loaded, or answers")
            return
        if body is not self._graph.top and not self._is_savers(body.name, run):
            self._report.refuse("graph-operation", where, f"{node.op} in a function that the saver definition does not name")
            return
        inputs = data_inputs(node)
        for number in NAMES_A_FILE[node.op]:
            if number >= len(inputs) or not self._from_prefix(inputs[number], body, 0):
                self._report.refuse("graph-operation", where, f"{node.op} of a file that the graph names itself")

    def _is_savers(self, function: str, run: set[str], depth: int = 0) -> bool:
        """Whether nothing uses the function but the nodes of the saver definition, where they do not `run` without a caller."""
        uses = self._graph.used.get(function, [])
        if depth > 4 or self._graph.is_bound(function):
            return False
        for body, node in uses:
            top = body is self._graph.top and node.name in self._graph.savers - run and node.op in CALLS
            inputs = data_inputs(node)
            if top and inputs and inputs[0].split(":")[0] == self._graph.filename:
                continue
            if body is self._graph.top or node.op not in CALLS or not inputs or not self._from_prefix(inputs[0], body, 0):
                return False
            if not self._is_savers(body.name, run, depth + 1):
                return False
        return bool(uses)

    def _from_prefix(self, reference: str, body: Body, depth: int) -> bool:
        """Whether a file name starts with the prefix that the caller gives."""
        origin = body.origin(reference)
        if isinstance(origin, str):
            return origin == body.arguments[0]
        if origin is None or depth > 20:
            return False
        if body is self._graph.top and origin.op == "PlaceholderWithDefault":
            return _is_default(origin, body, 0)
        if body is self._graph.top and origin.name == self._graph.filename:
            return bool(origin.op == "Placeholder")
        if origin.op not in PASSES:
            return False
        inputs, numbers = data_inputs(origin), PASSES[origin.op]
        followed = inputs if numbers is None else [inputs[n] for n in numbers if n < len(inputs)]
        rest = [] if numbers is None else inputs[1:]
        return (
            bool(followed)
            and all(self._from_prefix(one, body, depth + 1) for one in followed)
            and all(_joined(body.origin(one), body, 0) for one in rest)
        )

    def _check_fill(self, node: Any, body: Body) -> None:
        where, inputs = f"{self._place}:{body.name}/{node.name}", data_inputs(node)
        name = inputs[FILLS[node.op]] if len(inputs) > FILLS[node.op] else ""
        if not self._from_asset(name, body, 0):
            self._report.refuse("graph-operation", where, "a table that is filled from a file which is no asset of the model")

    def _from_asset(self, reference: str, body: Body, depth: int) -> bool:
        """Whether a file name is an asset's, wherever the function is called from."""
        origin = body.origin(reference)
        if depth > 10 or origin is None:
            return False
        if isinstance(origin, str):
            return self._argument_is_asset(body, body.arguments.index(origin), depth)
        inputs = data_inputs(origin)
        if origin.op == "Identity" and inputs:
            return self._from_asset(inputs[0], body, depth + 1)
        if body is not self._graph.top:
            return False
        if origin.op in ("Placeholder", "Const") and origin.name in self._graph.assets:
            return True
        if origin.op == "ReadVariableOp" and inputs:
            handle = inputs[0].split(":")[0]
            assigned = [data_inputs(n)[1] for n in body.nodes if n.op == "AssignVariableOp" and data_inputs(n)[:1] == [inputs[0]]]
            owner = body.by_name.get(handle)
            return owner is not None and bool(assigned) and all(self._from_asset(one, body, depth + 1) for one in assigned)
        return False

    def _argument_is_asset(self, body: Body, number: int, depth: int) -> bool:
        bound = self._graph.objects.concrete_functions.get(body.name) if self._graph.is_bound(body.name) else None
        nodes = self._graph.objects.nodes
        if bound is not None:
            captured = number - (len(body.arguments) - len(bound.bound_inputs))
            if captured < 0 or not 0 <= bound.bound_inputs[captured] < len(nodes):
                return False
            if nodes[bound.bound_inputs[captured]].WhichOneof("kind") != "asset":
                return False
        uses = self._graph.used.get(body.name, [])
        for user, node in uses:
            inputs = data_inputs(node)
            if node.op not in CALLS or number >= len(inputs) or not self._from_asset(inputs[number], user, depth + 1):
                return False
        return bool(uses) or bound is not None


def _is_default(origin: Any, body: Body, depth: int) -> bool:
    """Whether what counts where no prefix is given leads to no place of the graph's choice."""
    if origin is None or depth > 3:
        return False
    if origin.op == "PlaceholderWithDefault":
        return all(_is_default(body.origin(one), body, depth + 1) for one in origin.input)
    return origin.op == "Const" and _holds(origin, DEFAULT)


def _holds(constant: Any, pattern: re.Pattern[bytes]) -> bool:
    tensor = constant.attr["value"].tensor
    return not tensor.tensor_content and all(pattern.fullmatch(one) and b".." not in one for one in tensor.string_val)


def _joined(origin: Any, body: Body, depth: int) -> bool:
    """Whether what is joined to a prefix is a constant that stays where the prefix leads, or a choice of such."""
    if origin is None or isinstance(origin, str) or depth > 5:
        return False
    if origin.op == "Const":
        return _holds(origin, JOINED)
    if origin.op in ("Select", "SelectV2"):
        return all(_joined(body.origin(one), body, depth + 1) for one in data_inputs(origin)[1:])
    return False
