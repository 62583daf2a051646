"""A SavedModel: what its graph and every function of its library may do.

Operations are those of the table; only what reaches files needs more than a name. A save or restore operation is allowed in what
the saver definition names, on the prefix that the caller gives; a table is filled from a file only where that is an asset.
"""

import math
import re
from typing import Any

from reloadgate.inspection import bundle
from reloadgate.inspection.declared import operations
from reloadgate.inspection.found import RefusedError, Report
from reloadgate.inspection.graph import Graph, called
from reloadgate.inspection.graph_files import FILLS, SAVES, GraphFiles
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.messages import message
from reloadgate.inspection.pickles import is_pickle
from reloadgate.inspection.reading import Folder, odd_character

GRAPH, VARIABLES, ASSETS = "saved_model.pb", "variables/variables", "assets/"
DEBUG = "debug/saved_model_debug_info.pb"
KNOWN = {GRAPH, "fingerprint.pb", DEBUG}


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
    _check_graph(graph, limits, report)
    _check_assets(graph, folder, report)
    _check_files(folder, report)
    if DEBUG in folder.files:
        message("GraphDebugInfo", folder.files[DEBUG].read(), DEBUG)
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


def _check_graph(meta: Any, limits: Limits, report: Report) -> None:
    graph = Graph(meta, limits, GRAPH)
    files, allowed = GraphFiles(graph, report, GRAPH), operations() | {*limits.operations}
    strange: dict[str, str] = {}
    for body in graph.bodies:
        for node in body.nodes:
            where = f"{GRAPH}:{body.name}/{node.name}"
            if node.op in SAVES or node.op in FILLS:
                files.check(node, body)
            elif node.op not in allowed and node.op not in graph.functions:
                strange.setdefault(node.op, f"{body.name}/{node.name}".lstrip("/"))
            elif node.op == "Const":
                _check_constant(node, where, limits, report)
            elif node.op not in graph.functions and "/job:" in node.device and "/job:localhost" not in node.device:
                report.refuse("graph-operation", where, f"it runs on another machine, {node.device}")
            for name in called(node):
                if name not in graph.functions:
                    report.refuse("graph", f"{GRAPH}:{node.name}", f"it calls {name!r}, which is not there")
    for operation, place in sorted(strange.items()):
        report.refuse("graph-operation", f"{GRAPH}:{place}", f"the operation {operation}, which models do not need")


def _check_constant(node: Any, where: str, limits: Limits, report: Report) -> None:
    """A constant may be one value that is repeated: its size is what it declares."""
    shape = node.attr["value"].tensor.tensor_shape
    values = math.prod(max(0, dim.size) for dim in shape.dim)
    if values * 8 > limits.memory:
        report.refuse("declared-size", where, f"a constant of {values} values")
