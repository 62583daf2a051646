"""Going through a configuration as Keras writes it."""

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]


def objects_of(node: Any) -> Iterator[Node]:
    """Every serialized object at any depth: a mapping with `class_name` and `config`, outermost first."""
    if isinstance(node, dict):
        if "class_name" in node and isinstance(node.get("config"), dict):
            yield node
        for value in node.values():
            yield from objects_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects_of(value)


def layers_of(config: Node) -> Iterator[Node]:
    """Every layer of a model's configuration, the model itself left out."""
    inner = config.get("config", {})
    for node in objects_of(inner):
        if "name" in node["config"] and node["class_name"] not in ("InputLayer", "__keras_tensor__", "DTypePolicy"):
            yield node
