"""What may be named: Keras' own classes and functions, TensorFlow's operations, and what the user declares."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from reloadgate.nouns import noun


@noun
class Declared:
    """Custom classes and functions that the user knows: matched exactly, and never imported by inspection."""

    registered: frozenset[str] = frozenset()
    """Names as Keras registers them, such as "acme>Scale"; or bare, of what was never registered."""
    pairs: frozenset[tuple[str, str]] = frozenset()
    """(module, class or function)."""

    def has(self, module: Any, name: str, registered: Any) -> bool:
        """Whether the user declared it."""
        return registered in self.registered or (isinstance(module, str) and (module, name) in self.pairs)


def declared_from(names: Iterable[str]) -> Declared:
    """Of names such as "acme.layers:Scale", "acme>Scale" or "scale"."""
    pairs, registered = set(), set()
    for name in names:
        module, colon, inside = name.partition(":")
        if colon:
            pairs.add((module, inside))
        else:
            registered.add(name)
    return Declared(registered=frozenset(registered), pairs=frozenset(pairs))


@cache
def classes() -> frozenset[tuple[str, str]]:
    """(module, class) of every class of Keras that a configuration may name."""
    return frozenset((module, name) for module, names in _table("keras.json")["classes"].items() for name in names)


@cache
def class_names() -> frozenset[str]:
    """The same by name alone, for the legacy format, which names no modules."""
    names = {name for module, name in classes() if not module.startswith("keras.src.ops")}
    return frozenset(names | set(stored_as().values()))


@cache
def functions() -> frozenset[str]:
    return frozenset(_table("keras.json")["functions"])


@cache
def operations() -> frozenset[str]:
    return frozenset(_table("tensorflow.json")["operations"])


@cache
def stored_as() -> dict[str, str]:
    """The classes of layers whose public names, as configurations have them, are others."""
    return dict(_table("keras.json")["stored_as"])


def known_keras() -> str:
    """The version of Keras that the tables were made from."""
    return str(_table("keras.json")["keras"])


@cache
def _table(name: str) -> Any:
    return json.loads(files("reloadgate.inspection").joinpath("tables", name).read_bytes())
