"""Which attributes the user's code reads once its objects are made, as far as its code tells; nothing of it is run."""

import dis
import inspect
import itertools
import os
import sys
import sysconfig
from collections.abc import Container, Iterable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from reloadgate.live.words import is_the_users

MAKING = frozenset(
    {
        *("__init__", "__new__", "__repr__", "__str__", "build", "compile", "from_config", "compile_from_config"),
        *("build_from_config", "compute_output_shape", "compute_output_spec", "get_config", "get_build_config"),
        *("get_compile_config", "count_params", "summary"),
    }
)
"""Methods that make an object or tell of it: what only they read makes no difference to one that is made."""

INSTALLED = tuple(sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
"""Folders of code that is not the project's."""

READING = ("LOAD_ATTR", "LOAD_METHOD")
COPYING = ("COPY", "DUP_TOP")
"""What goes before the reading of an attribute that is only to be counted up, as in `self.calls += 1`."""


WHOLE = frozenset({"__dict__", "vars"})
"""What a method that names it reads all attributes by."""


class Everything(Container[str]):
    """Of code that goes through all attributes."""

    def __contains__(self, name: object) -> bool:
        return True


def read_of(things: Iterable[Any]) -> Container[str]:
    """Names of the attributes that are read by methods of these objects, and by any code of the modules of the user's classes and
    of those that they import, but for what is installed.

    Of other classes, as Keras', all names count that their code mentions.
    """
    classes = {one for thing in things for one in type(thing).__mro__ if one is not object}
    own = {one for one in classes if is_the_users(one)}
    if not own:
        return ()
    if any(WHOLE & {*code.co_names} for cls in own for code in _codes(cls)):
        return Everything()
    codes = set[CodeType]()
    for module in _with_imported({sys.modules[one.__module__] for one in own if one.__module__ in sys.modules}):
        for thing in list(vars(module).values()):
            if isinstance(thing, FunctionType):
                codes.add(thing.__code__)
            elif isinstance(thing, type) and _is_the_projects(sys.modules.get(thing.__module__)):
                own.add(thing)
    codes.update(itertools.chain(*map(_codes, own)))
    return set(itertools.chain(*map(_read, codes), *(mentioned(one) for one in classes - own)))


def _with_imported(modules: set[ModuleType]) -> set[ModuleType]:
    held = [thing for module in modules for thing in vars(module).values()]
    return modules | {thing for thing in held if isinstance(thing, ModuleType) and _is_the_projects(thing)}


def _is_the_projects(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and not file.startswith(INSTALLED)


def read_by(methods: Iterable[str], classes: Iterable[type]) -> Iterator[tuple[str, str]]:
    """Names of the attributes that one of the methods reads, where these classes have it themselves, and the method's name."""
    for cls, method in itertools.product(classes, methods):
        code = _code(vars(cls).get(method))
        for name in _read(code) if code else ():
            yield name, method


@cache
def mentioned(kept: type) -> set[str]:
    return {name for code in _codes(kept) for one in _within(code) for name in one.co_names}


def _codes(cls: type) -> Iterator[CodeType]:
    for name, thing in vars(cls).items():
        if isinstance(thing, type) and thing.__qualname__.startswith(f"{cls.__qualname__}."):
            yield from _codes(thing)
        code = _code(thing)
        if code is not None and name not in MAKING:
            yield code


def _code(thing: Any) -> CodeType | None:
    """The code of a method: of a property, that which gives it; behind what decorates it."""
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) else None
    return code if isinstance(code, CodeType) else None


def _within(code: CodeType) -> Iterator[CodeType]:
    """The code and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)


def _read(code: CodeType) -> Iterator[str]:
    """Names of attributes; texts too, where `getattr` may read by one of them."""
    for one in _within(code):
        before = ""
        for instruction in dis.get_instructions(one):
            if instruction.opname in READING and before not in COPYING:
                yield instruction.argval
            before = instruction.opname
        if {"getattr", "attrgetter"} & {*one.co_names}:
            yield from (constant for constant in one.co_consts if isinstance(constant, str))
