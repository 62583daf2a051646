"""Which attributes the user's code reads once its objects are made, as far as its code tells; nothing of it is run."""

import dis
import itertools
import os
import sys
import sysconfig
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import keras
import tensorflow as tf

from reloadgate.live.words import KERAS, is_the_users

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

READING = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
COPYING = ("COPY", "DUP_TOP")
"""What goes before the reading of an attribute that is only to be counted up, as in `self.calls += 1`."""

AROUND = ("LOAD_GLOBAL", "LOAD_DEREF")
"""What reads a global or what a function closes over."""

LOADING = ("LOAD_CONST", "LOAD_FAST", "LOAD_FAST_BORROW", *AROUND)
PUTTING = ("append", "appendleft", "extend")
"""Methods that put something into a container, and are of hardly anything else."""

JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))

AT_ONCE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
"""Names of code within a function that is over with it."""

WHOLE = frozenset({"__dict__", "vars"})
"""What a method that names it reads all attributes by."""


class Everything(Container[str]):
    """Of code that goes through all attributes."""

    def __contains__(self, name: object) -> bool:
        return True


def read_of(things: Iterable[Any]) -> Container[str]:
    """Names of the attributes that are read by methods of these objects, and by any code of the modules of the user's classes and
    of those that they use, directly or not, but for what is installed; everything, where a method's code cannot be looked into.

    Of other classes, as Keras', all names count that their code mentions.
    """
    classes = {one for thing in things for one in type(thing).__mro__ if one is not object}
    own = {one for one in classes if is_the_users(one)}
    if not own:
        return ()
    if any(map(_hides, own)) or any(WHOLE & {*code.co_names} or _by_any_name(code) for cls in own for code in _codes(cls)):
        return Everything()
    codes = set[CodeType](itertools.chain(*map(_codes, own)))
    modules, left = set[ModuleType](), {sys.modules.get(one.__module__) for one in own}
    while left:
        module = left.pop()
        if module is None or module in modules:
            continue
        modules.add(module)
        held = [*vars(module).values()]
        its = set[CodeType](itertools.chain(*map(codes_of, held)))
        for thing in held:
            if isinstance(thing, type) and is_the_projects(thing):
                its.update(_codes(thing))
        used = {name for code in its for one in within(code) for name in one.co_names}  # what is imported within a function
        names = {getattr(thing, "__module__", None) for thing in held} | used
        others = {*(thing for thing in held if isinstance(thing, ModuleType)), *(sys.modules.get(str(name)) for name in names)}
        left |= {other for other in others if other is not None and is_the_projects(other)}
        codes |= its
    return set(itertools.chain(*map(_read, codes), *(mentioned(one) for one in classes - own)))


def mentioned_by(classes: Iterable[type]) -> set[str]:
    """All names that code of these classes mentions, that which makes an object too."""
    held = itertools.chain(*(vars(cls).values() for cls in classes))
    return {name for code in itertools.chain(*map(codes_of, held)) for one in within(code) for name in one.co_names}


def is_the_projects(thing: Any) -> bool:
    """Whether a module, or that of a class, is not installed."""
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(getattr(thing, "__module__", ""))
    file = getattr(module, "__file__", None)
    return file is not None and not file.startswith(INSTALLED)


def is_helper(value: Any) -> bool:
    """Whether this is an object of a class of the project's that is compared nowhere else."""
    kind = type(value)
    compared = isinstance(value, (type, ModuleType, *KERAS, keras.Variable, tf.Variable))
    return hasattr(value, "__dict__") and not compared and (kind is SimpleNamespace or is_the_projects(kind))


def behind(things: Iterable[Any], classes: Sequence[type], called: Container[str]) -> Collection[FunctionType]:
    """The project's functions that methods or properties run, as far as their code tells, and those of the classes' methods and
    properties that they mention.

    Args:
        called: names of methods that are called elsewhere, and are left to that.
    """
    left, found = [*things], dict[int, FunctionType]()
    while left:
        for function in _functions_of(left.pop()):
            if id(function) not in found and not function.__code__.co_filename.startswith(INSTALLED):
                found[id(function)] = function
                names = {name for name in _read(function.__code__) if name not in called}
                left += [vars(cls)[name] for cls in classes for name in sorted(names & vars(cls).keys())]
    return found.values()


@cache
def mentioned(kept: type) -> set[str]:
    return {name for code in _codes(kept) for one in within(code) for name in one.co_names}


def _codes(cls: type) -> Iterator[CodeType]:
    for name, thing in vars(cls).items():
        if isinstance(thing, type) and thing.__qualname__.startswith(f"{cls.__qualname__}."):
            yield from _codes(thing)
        for code in codes_of(thing):
            yield from _made_within(code) if name in MAKING else (code,)


def _made_within(code: CodeType) -> Iterator[CodeType]:
    """The functions that code makes, which may be kept and called later."""
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _made_within(one) if one.co_name in AT_ONCE else (one,)


def _by_any_name(code: CodeType) -> bool:
    """Whether code reads attributes of what it is given by names that it makes, or has from elsewhere."""
    for one in within(code):
        shown = [other for other in dis.get_instructions(one) if other.opname != "PUSH_NULL"]
        for position, instruction in enumerate(shown):
            if instruction.argval == "getattr" and instruction.opname == "LOAD_GLOBAL":
                given = itertools.takewhile(lambda other: "CALL" not in other.opname, shown[position + 1 :])
                thing, *name = [other.opname for other in given if other.opname != "LOAD_ATTR"]
                constant = name[:1] == ["LOAD_CONST"] and not {"BUILD_STRING", "BINARY_OP"} & {*name}
                if thing.startswith(("LOAD_FAST", "LOAD_DEREF")) and not constant:
                    return True
    return False


def _hides(cls: type) -> bool:
    """Whether a method is there whose code is not."""
    return any(
        name not in (*MAKING, "__dict__", "__weakref__") and not isinstance(thing, type)
        and (callable(thing) or hasattr(thing, "__get__")) and not any(codes_of(thing))
        for name, thing in vars(cls).items()
    )  # fmt: skip


def codes_of(thing: Any) -> Iterator[CodeType]:
    """The codes of a function, method or property, as of `_functions_of`."""
    return (one.__code__ for one in _functions_of(thing))


def _functions_of(thing: Any) -> Iterator[Any]:
    """What has code of a function, method or property: what decorates it, and what that hands on to."""
    left, seen = [thing], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType)):
            continue
        seen.add(id(one))
        if isinstance(_attribute(one, "__code__"), CodeType):
            yield one
            left += [cell.cell_contents for cell in one.__closure__ or () if cell != CellType()]
        behind = (_attribute(one, name) for name in ("fget", "__func__", "__wrapped__", "func", "python_function"))
        left += [thing for thing in behind if callable(thing)]


def _attribute(thing: Any, name: str) -> Any:
    """An attribute that is there. A module that is imported when it is first used, and a library of another language, look for
    any that they are asked for, and fail where it is not installed."""
    there = hasattr(type(thing), name) or name in getattr(thing, "__dict__", ())
    return getattr(thing, name, None) if there else None


def within(code: CodeType) -> Iterator[CodeType]:
    """The code and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from within(constant)


def used(code: CodeType, by: Container[str] = READING) -> Iterator[str]:
    """As `_read`, but for what is only counted up, or has something put into it, as `self.seen.append(x)`.

    Args:
        by: the operations that read; those of globals too, say.
    """
    for one in within(code):
        shown = [*dis.get_instructions(one)]
        for position, instruction in enumerate(shown):
            before, after = shown[position - 1] if position else instruction, shown[position + 1 : position + 4]
            if instruction.opname not in by or before.opname in COPYING:
                continue
            following, *later = after  # the last instruction reads nothing
            item = following.opname in LOADING and later[:1] and later[0].opname in ("STORE_SUBSCR", *COPYING)
            counted = any(other.opname == "STORE_GLOBAL" and other.argval == instruction.argval for other in later)
            if not (item or counted or following.argval in PUTTING):
                yield instruction.argval
        if by is READING:
            yield from _texts(one)


def set_first(code: CodeType) -> Iterator[str]:
    """Names of the attributes that code sets before it reads them, whatever else it does."""
    read = set[str]()
    for one in dis.get_instructions(code):
        if one.opcode in JUMPS:
            return
        if one.opname in (*READING, "LOAD_CONST"):
            read.add(str(one.argval))
        elif one.opname == "STORE_ATTR" and one.argval not in read:
            yield one.argval


def _read(code: CodeType) -> Iterator[str]:
    """Names of attributes; texts too, where `getattr` may read by one of them."""
    for one in within(code):
        before = ""
        for instruction in dis.get_instructions(one):
            if instruction.opname in READING and before not in COPYING:
                yield instruction.argval
            before = instruction.opname
        yield from _texts(one)


def _texts(code: CodeType) -> Iterator[str]:
    if {"getattr", "attrgetter"} & {*code.co_names}:
        yield from (constant for constant in code.co_consts if isinstance(constant, str))
