"""`checkpoint/`: what `tf.train.Checkpoint` and `CheckpointManager` write, matched by the graph of Python attributes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.evidence import Capability, FormatName, Recipe
from reloadgate.formats.built import built

NAME = FormatName.CHECKPOINT
FILE = "checkpoint"
CAPABILITY = Capability.RESUME
CANNOT = ""
HOLDS_CONFIGURATION = False
NEEDS_BUILDER = True

STATE = "checkpoint"
"""The file in which TensorFlow keeps the name of the latest."""


def find(directory: Path) -> list[Path]:
    folders = [directory, *(path for path in directory.iterdir() if path.is_dir())]
    return sorted(path for path in folders if any(path.glob("*.index")) and path.name != "variables")


def save(model: Any, path: Path) -> None:
    import tensorflow as tf

    tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(path), max_to_keep=1).save()


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    """The builder's model with every value of the latest checkpoint in it.

    Raises:
        UsageError: there is no checkpoint, or it holds values that no part of the model took.
    """
    import tensorflow as tf

    prefix = latest(path)
    model = built(recipe, inputs)
    root, roots = _roots(tf.train.load_checkpoint(prefix), model)
    status = tf.train.Checkpoint(root, **roots).restore(prefix)
    left = list(_left_over(status, {*roots} if root is None else None))
    if left:
        raise UsageError(
            f"{len(left)} values of the checkpoint found no place in the builder's model, the first {left[0]}: the model that "
            "was saved has other attributes, or another optimizer, than the one that the builder makes"
        )
    return model


def latest(path: Path) -> str:
    """The prefix of the latest checkpoint in a directory.

    Raises:
        UsageError: there is none, the state file names one that is not there, or without it there are several.
    """
    import tensorflow as tf

    found = tf.train.latest_checkpoint(str(path))
    prefixes = sorted(index.with_suffix("") for index in path.glob("*.index"))
    if found is not None:
        if Path(found) not in prefixes:
            raise UsageError(f"the file {path.name}/{STATE} names {found}, which does not lie beside it")
        return str(found)
    if (path / STATE).exists() or len(prefixes) != 1:
        raise UsageError(
            f"tf.train.latest_checkpoint finds nothing in {path.name} ({len(prefixes)} checkpoints lie there), "
            "and restoring nothing changes nothing, silently"
        )
    return str(prefixes[0])


def _roots(reader: Any, model: Any) -> tuple[Any, dict[str, Any]]:
    """What the checkpoint was made of: the model itself, or objects under names, one of which is the model."""
    nodes = _nodes(reader)
    children = {child.local_name: nodes[child.node_id] for child in nodes[0].children}
    own = {*model._trackable_children()}

    def likeness(node: Any) -> int:
        return len(own & {child.local_name for child in node.children})

    named = {name: likeness(node) for name, node in children.items() if not _is_optimizer(node)}
    best = max(named, key=lambda name: named[name], default=None)
    if best is None or likeness(nodes[0]) >= named[best] > 0 or (likeness(nodes[0]) and not named[best]):
        return model, {}
    optimizers = {name: model.optimizer for name, node in children.items() if _is_optimizer(node)}
    return None, {best: model, **optimizers}


def _is_optimizer(node: Any) -> bool:
    return any(child.local_name in ("_iterations", "iterations") for child in node.children)


def _nodes(reader: Any) -> Any:
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    graph = TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    return graph.nodes


def _left_over(status: Any, named: set[str] | None) -> Iterator[str]:
    """Values below the model or its optimizer that nothing took; those of the user's other objects are theirs, and the optimizer
    of a model within the model trains nothing any more."""
    proto, matched = status._checkpoint.object_graph_proto, status._checkpoint.matched_proto_ids
    for number, node in enumerate(proto.nodes):
        if number in matched:
            continue
        for attribute in node.attributes:
            first, _, below = attribute.checkpoint_key.partition("/")
            within = "/optimizer/" in (attribute.checkpoint_key if named is None else below)
            if first != "save_counter" and (named is None or first in named) and not within:
                yield attribute.checkpoint_key


def stored_config(path: Path) -> dict[str, Any] | None:
    return None


def stored_variables(path: Path) -> dict[str, str] | None:
    return None
