"""A model's configuration: every class and function that it names is one that is known, at any depth.

Keras builds whatever a configuration names, so nothing here is a list of what is bad.
"""

import re
from collections.abc import Iterator
from typing import Any

from reloadgate.inspection.declared import Declared, class_names, classes, functions
from reloadgate.inspection.documents import Unusual, walk
from reloadgate.inspection.found import Layer, RefusedError, Report
from reloadgate.inspection.limits import Limits

ROOTS = {"Sequential", "Functional", "Model", "FeatureSpace", "Distiller"}
DATA_TAGS = {"__keras_tensor__", "__numpy__", "__tensor__", "__ellipsis__", "__slice__", "__bytes__", "__tuple__", "TensorShape"}
ARRAY_TAGS = {"__numpy__", "__tensor__"}
DTYPES = re.compile(r"(u?int|float|bfloat|complex)\d{1,3}|bool|string|float8_e[45]m[23](fn)?")
FUNCTION_MODULES = {
    "builtins",
    *(f"keras.{m}" for m in ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")),
}
PATHS = re.compile(r"/[^/\s]|\.{1,2}[/\\]|~[\w.-]*/|\\\\|[A-Za-z]:[\\/]|[A-Za-z][\w+.-]*://|(?s:.*)[/\\]\.\.(?:[/\\]|$)")
FILES = {"vocabulary", "idf_weights", "filepath", "path", "url", "origin", "file", "cache_dir", "weights_path"}
TERMS = {"vocabulary", "oov_token", "mask_token"}
MAY_BE_UNUSUAL = {
    "mask_value", "bin_boundaries", "max_value", "min_value", "fill_value", "value", "values", "args", "kwargs", "arguments",
    "clipnorm", "clipvalue", "global_clipnorm", "idf_weights", "class_weights",
}  # fmt: skip
"""Keys under which NaN or an infinity is a plain value, not a size or a rate."""
OPERATIONS = "keras.src.ops."
"""Modules of operations, whose arguments are values that a model computes with."""


def check(root: dict[str, Any], place: str, declared: Declared, limits: Limits, report: Report, legacy: bool = False) -> None:
    """Add to the report what the configuration holds, and what in it is refused.

    Args:
        legacy: of an `.h5` file, whose objects have no modules.

    Raises:
        RefusedError: it is no configuration at all.
    """
    for path, value in walk(root):
        if isinstance(value, dict) and not all(isinstance(value.get(key, ""), str | None) for key in ("class_name", "module")):
            raise RefusedError("config", _where(place, path), "a class or module that is no text")
    if root.get("class_name") not in ROOTS and not _declared(root, declared):
        report.refuse("config-root", place, f"its outermost object is {root.get('class_name')!r}, no model that is known")
    layers, custom = 0, set()
    of_values: dict[tuple[str | int, ...], bool] = {}  # by the path of every object's configuration
    for path, value in walk(root):
        where = _where(place, path) if isinstance(value, dict | str | Unusual) else place
        if isinstance(value, dict):
            if "class_name" in value:
                own = (*path, "config")
                if _check_object(value, where, declared, report, legacy):
                    custom.add(own)
                of_values[own] = own in custom or str(value.get("module")).startswith(OPERATIONS)
            if len(path) > 1 and path[-2] == "layers" and isinstance(path[-1], int):
                layers += 1
                _add_layer(value, report)
        elif isinstance(value, str):
            _check_text(value, path, where, any(up in custom for up in _above(path)), report)
        elif isinstance(value, Unusual) and not MAY_BE_UNUSUAL.intersection(path):
            # Of the innermost object: what is Keras' own within a custom class has sizes and rates too.
            noted = next((of_values[up] for up in _above(path) if up in of_values), False)
            say = report.note if noted else report.refuse
            say("json-number", where, f"{value} for a number")
    if layers > limits.layers:
        report.refuse("too-many", place, f"{layers} layers; the limit is {limits.layers}")


def _check_object(value: dict[str, Any], where: str, declared: Declared, report: Report, legacy: bool) -> bool:
    """Add what is refused of an object; whether it is a custom one that is declared."""
    name, module = value["class_name"], value.get("module")
    if name == "__lambda__":
        report.refuse("lambda", where, "the bytecode of a Python lambda, which runs when the model is loaded")
    elif name in DATA_TAGS:
        _check_data(name, value, where, report)
    elif name == "function":
        _check_function(value, where, declared, report)
    elif name == "Lambda" and module in (None, "keras.layers"):
        _check_lambda(value, where, declared, report)
    elif _is_kerass(value, name, module, legacy):
        config = value.get("config")
        if isinstance(config, dict):
            _check_files(config, where, report)
        elif config is not None:
            report.refuse("config", where, f"the configuration of {name} is no mapping")
    elif _declared(value, declared):
        report.custom.add(_shown(value))
        return True
    else:
        report.custom.add(_shown(value))
        report.refuse("undeclared-class", where, f"the class {_shown(value)}, which is neither Keras' own nor declared")
    return False


def _is_kerass(value: dict[str, Any], name: str, module: str | None, legacy: bool) -> bool:
    known = name in class_names() if legacy and "module" not in value else (module, name) in classes()
    return known and value.get("registered_name") in (None, name)


def _check_data(tag: str, value: dict[str, Any], where: str, report: Report) -> None:
    if tag in ARRAY_TAGS:
        config = value.get("config")
        dtype = config.get("dtype") if isinstance(config, dict) else None
        if not isinstance(dtype, str) or not DTYPES.fullmatch(dtype):
            report.refuse("config", where, f"an array of dtype {dtype!r}")


def _check_function(value: dict[str, Any], where: str, declared: Declared, report: Report) -> None:
    name, module, registered = value.get("config"), value.get("module"), value.get("registered_name")
    if not isinstance(name, str):
        report.refuse("config", where, "a function without a name")
    elif name in functions() and module in FUNCTION_MODULES and registered in (None, "function", name):
        return
    else:
        report.custom.add(name)
        if not declared.has(module, name, name):
            report.refuse("undeclared-class", where, f"the function {name!r} of {module}, neither Keras' own nor declared")


def _check_lambda(value: dict[str, Any], where: str, declared: Declared, report: Report) -> None:
    """A Lambda layer that calls a function by its registered name holds no code."""
    config = value.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    if (
        isinstance(config, dict)
        and isinstance(function, dict)
        and function.get("class_name") == "function"
        and isinstance(function.get("config"), str)
    ):
        name = function["config"]
        if declared.has(function.get("module"), name, name) or (name in functions() and not config.get("arguments")):
            return
    report.refuse("lambda", where, "a Lambda layer whose function is not one that is declared")


def _check_files(config: dict[str, Any], where: str, report: Report) -> None:
    """What Keras' own classes take for the name of a file, whatever it looks like."""
    for key, item in config.items():
        if key in FILES and isinstance(item, str) and item:
            report.refuse("path", f"{where}.config.{key}", f"{item!r}: a file or an address that Keras would read")


def _check_text(text: str, path: tuple[str | int, ...], where: str, custom: bool, report: Report) -> None:
    """What looks like a file or an address. A custom class may mean something else by it, and is the user's to know."""
    if not TERMS.intersection(path) and PATHS.match(text):
        say = report.note if custom else report.refuse
        say("path", where, f"{text!r} looks like a file or an address", "keep paths out of get_config")


def _declared(value: dict[str, Any], declared: Declared) -> bool:
    name, module, registered = value.get("class_name"), value.get("module"), value.get("registered_name")
    if not isinstance(name, str) or (isinstance(module, str) and module.split(".")[0] == "keras"):
        return False
    return declared.has(module, name, registered if isinstance(registered, str) else name)


def _shown(value: dict[str, Any]) -> str:
    module, name, registered = value.get("module"), value.get("class_name"), value.get("registered_name")
    return str(registered) if isinstance(registered, str) and ">" in registered else f"{module}:{name}" if module else str(name)


def _add_layer(value: dict[str, Any], report: Report) -> None:
    config = value.get("config")
    name = config.get("name") if isinstance(config, dict) else value.get("name")
    report.layers.append(Layer(name=str(name), module=str(value.get("module") or ""), class_name=str(value.get("class_name"))))


def _above(path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of what a value lies in, innermost first."""
    return (path[:end] for end in range(len(path) - 1, 0, -1))


def _where(place: str, path: tuple[str | int, ...]) -> str:
    text = place
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text if len(text) <= 200 else f"{text[:90]}…{text[-100:]}"
