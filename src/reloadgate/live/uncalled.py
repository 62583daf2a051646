"""What methods read that no check calls, as a `fit` of the model's own: told from their code, and nothing of it is run."""

import dis
import inspect
import itertools
from collections.abc import Iterator
from types import CellType, FunctionType, ModuleType
from typing import Any

import keras
import tensorflow as tf

from reloadgate.live.reads import AROUND, MAKING, behind, codes_of, is_helper, is_the_projects, set_first, used
from reloadgate.live.words import DEEP, as_json, is_keras

NOT_CALLED = ("fit", "evaluate", "train_on_batch", "test_on_batch", "predict_on_batch")
"""Methods of `keras.Model` that no check calls: resumed steps and predictions go through what they call."""

CALLED = frozenset(dir(keras.Model))
"""What the methods of Keras' models call, which the checks do too."""

OF_FIT = frozenset(vars(keras.callbacks.Callback()))
"""What `fit` gives callbacks."""

BEGINNING = "on_train_begin"
"""The method of a callback that `fit` calls before any other."""


def uncalled(thing: Any) -> Iterator["Uncalled"]:
    """Those methods of a model that are the user's own."""
    for method in NOT_CALLED if isinstance(thing, keras.Model) else ():
        if method in vars(thing) or getattr(type(thing), method) is not getattr(keras.Model, method):
            yield Uncalled(thing, method)


class Uncalled:
    """What one of these methods runs of the user's code, and what it reads: of the model, of helper objects and of modules."""

    def __init__(self, model: Any, method: str) -> None:
        self.method, self._model = method, model
        self._own = [one for one in type(model).__mro__ if not is_keras(one)]
        self._classes, self._started = list(self._own), [vars(one)[method] for one in (model, *self._own) if method in vars(one)]
        self.names, self._found, known = set[str](), dict[str, Any](), -1
        while known < len(self._started) + len(self._classes) + len(self.names):  # what is found may run more
            known = len(self._started) + len(self._classes) + len(self.names)
            self._functions = behind(self._started, self._classes, CALLED)
            self.names = self._read()
            self._found = dict(self._around())
            for value in self._found.values():
                self._run(value, 0)
        held = itertools.chain(*(vars(cls).items() for cls in self._classes))
        codes = [code for name, one in held if name != "__init__" for code in codes_of(one)]
        self.made = {one.argval for code in codes for one in dis.get_instructions(code) if one.opname == "STORE_ATTR"}

    def _read(self) -> set[str]:
        """Names that are read, but for what is set anew before that by every call."""
        first = [*map(inspect.unwrap, self._started[:1]), *(one for one in self._functions if one.__name__ == BEGINNING)]
        anew = {name for one in first if isinstance(one, FunctionType) for name in set_first(one.__code__)}
        return {name for one in self._functions for name in used(one.__code__)} - anew

    def _around(self) -> Iterator[tuple[str, Any]]:
        """Attributes of the model and of its classes that are read; globals, and what functions close over."""
        for name in sorted(self.names - CALLED):
            of_class = (vars(one)[name] for one in self._own if name in vars(one))
            value = vars(self._model).get(name, next(of_class, ...))
            if name in vars(self._model) or not hasattr(value, "__get__"):
                yield name, value
        for function in self._functions:
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            enclosed = {name: cell.cell_contents for name, cell in cells if cell != CellType()}
            for name in sorted({*used(function.__code__, AROUND)} - {"__class__"}):
                yield f"{self.method}.{name}", enclosed.get(name, function.__globals__.get(name, ...))

    def _run(self, value: Any, depth: int) -> None:
        """Count what may run of a value: a function itself; of a helper object what the code calls without its name."""
        if isinstance(value, FunctionType) and value not in self._started:
            self._started.append(value)
        elif depth < DEEP and _is_looked_into(value):
            kinds = [one for one in type(value).__mro__ if one not in self._classes and is_the_projects(one)]
            self._classes += kinds
            any_name = isinstance(value, keras.callbacks.Callback)
            held = itertools.chain(*(vars(one).items() for one in kinds))
            self._started += [one for name, one in held if _is_function(one, *MAKING) and (any_name or name.startswith("__"))]
            for name in self.names & vars(value).keys():
                self._run(vars(value)[name], depth + 1)

    def told(self) -> Iterator[tuple[str, str]]:
        """Places and values in words of what is read beside the plain attributes of the model itself."""
        for place, value in self._found.items():
            if place not in vars(self._model) or _is_looked_into(value):
                yield from self._told(place, value, 0)

    def _told(self, place: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
        if _is_looked_into(value):
            for name in sorted(self.names & vars(value).keys() - OF_FIT) if depth < DEEP else ():
                yield from self._told(f"{place}.{name}", vars(value)[name], depth + 1)
        elif not (isinstance(value, str) and "/" in value):  # where something is, and not what
            text = as_json(value.numpy() if isinstance(value, (tf.Variable, keras.Variable)) else value)
            if text is not None:
                yield place, text


def _is_function(thing: Any, *but: str) -> bool:
    return isinstance(thing, FunctionType) and thing.__name__ not in but


def _is_looked_into(value: Any) -> bool:
    """Whether this is a module or class of the project's, or an object of such that is compared nowhere else."""
    return is_the_projects(value) if isinstance(value, (ModuleType, type)) else is_helper(value)
