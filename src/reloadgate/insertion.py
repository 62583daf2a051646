"""Lines put into files of others, and taken out again: every byte that was there stays, comments, order and style included.

What is put in stands between two comment lines, or ends with a comment, so that undoing finds it whatever happened around it. The
place inside YAML is found with ruamel.yaml, and what comes out is parsed again: it must say what it said, and the addition.
"""

import re
from typing import Any

from reloadgate.errors import UsageError

BEGIN, END, LINE = "# >>> reloadgate init", "# <<< reloadgate init", "  # reloadgate init"
JOINED = " (the file had no newline at its end)"
EMPTY = " (the file was there, and empty)"


def append(text: str, block: str, indent: str = "") -> str:
    """The text with a marked block at its end."""
    return insert(text, len(text.splitlines()), block, indent)


def insert(text: str, line: int, block: str, indent: str = "") -> str:
    """The text with a marked block before line number `line` (from 0)."""
    lines = text.splitlines(keepends=True)
    joined = line == len(lines) and bool(lines) and not lines[-1].endswith("\n")
    if joined:
        lines[-1] += "\n"
    inner = [f"{indent}{one}\n" if one else "\n" for one in block.strip("\n").split("\n")]
    marked = [f"{indent}{BEGIN}{JOINED if joined else ''}\n", *inner, f"{indent}{END}\n"]
    return "".join([*lines[:line], *marked, *lines[line:]])


def without(text: str) -> str:
    """The text without anything that was put in."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith(BEGIN):
            inside = True
            if bare.endswith(JOINED) and kept:
                kept[-1] = kept[-1].removesuffix("\n")
        elif bare == END:
            inside = False
        elif not inside and not line.rstrip("\n").endswith(LINE):
            kept.append(line)
    if inside:
        raise UsageError(f"a line {END!r} is missing: take out by hand what `reloadgate init` put in")
    return "".join(kept)


def of_empty(text: str) -> str:
    """A text that begins with a marked block, put into a file that was there: such a file stays when the block is taken out."""
    return text.replace(BEGIN, BEGIN + EMPTY, 1)


def taken_out(text: str) -> str | None:
    """The text without anything that was put in; None where nothing else is left, and there was no such file before."""
    kept = without(text)
    return kept if kept or not text or BEGIN + EMPTY in text else None


# YAML


def parse(text: str, where: str) -> Any:
    """YAML as ruamel.yaml reads it, with the line and column of everything; an empty mapping where there is nothing.

    Raises:
        UsageError: it is no YAML mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML().load(text)
    except YAMLError as error:
        raise UsageError(f"{where} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if data is not None and not isinstance(data, CommentedMap):
        raise UsageError(f"{where} is no YAML mapping")
    return CommentedMap() if data is None else data


def add_to_mapping(text: str, where: str, key: str, block: str) -> str:
    """A block (at column 0) put at the end of what the top-level key `key` holds, indented as its first entry is.

    Raises:
        UsageError: it is not written as a block, or does not say what it said afterwards.
    """
    data = parse(text, where)
    if key not in data:
        whole = f"{key}:\n" + "".join(f"  {line}\n" if line else "\n" for line in block.strip("\n").split("\n"))
        return checked(text, append(text, whole), where)
    section = data[key]
    if not section or section.fa.flow_style():
        raise UsageError(f"{where}: {key} is not written as a block; put this into it by hand:\n\n{block}")
    first, column = min(section.lc.key(name) for name in section)
    return checked(text, insert(text, _end(text, first, column - 1), block, " " * column), where)


def add_items(text: str, where: str, path: tuple[str, ...], items: dict[str, list[str]]) -> str:
    """Items put at the end of lists below a mapping, each on a line of its own; a list that is not there is made.

    Args:
        path: the keys that lead to the mapping.
        items: by the list's key.

    Raises:
        UsageError: a list is written in one line, or the text does not say what it said afterwards.
    """
    result = text
    for key, new in items.items():
        node = parse(result, where)
        for step in path:
            node = node[step]
        lines = result.splitlines(keepends=True)
        if key in node and node[key] is not None and node[key].fa.flow_style():
            wanted = "".join(f"  - {item}\n" for item in new)
            raise UsageError(f"{where}: {'.'.join((*path, key))} is written in one line; put this into it by hand:\n\n{wanted}")
        row, column = node.lc.key(key) if key in node else min(node.lc.key(name) for name in node)
        if key in node:
            dash = " " * node[key].lc.data[0][1] if node[key] else " " * (column + 2)
            dash = dash[:-2] if node[key] else dash
            made, at = [f"{dash}- {item}{LINE}\n" for item in new], _end(result, row, column)
        else:
            heading = f"{' ' * column}{key}:{LINE}\n"
            made, at = [heading, *(f"{' ' * column}- {item}{LINE}\n" for item in new)], _end(result, row, column - 1)
        if at == len(lines) and lines and not lines[-1].endswith("\n"):
            raise UsageError(f"{where} has no newline at its end: put one there, and call this again")
        result = "".join([*lines[:at], *made, *lines[at:]])
    return checked(text, result, where)


def _end(text: str, row: int, column: int) -> int:
    """The line after a block that begins at `row` and whose lines are indented by more than `column`."""
    lines = text.splitlines()
    end = row + 1
    for number in range(row + 1, len(lines)):
        bare = lines[number].lstrip()
        indent = len(lines[number]) - len(bare)
        if not bare or (bare.startswith("#") and indent <= column):
            continue
        if indent > column or (indent == column and bare.startswith("- ")):
            end = number + 1
        else:
            break
    return end


def checked(before: str, after: str, where: str) -> str:
    """What was made, if it still says all that was said before and can be taken back.

    Raises:
        UsageError: it does not.
    """
    said, says = parse(before, where), parse(after, where)
    if not _holds(says, said) or without(after) != without(before):
        raise UsageError(
            f"{where} is written in a way that `reloadgate init` cannot add to: add the stages of its README by hand"
        )
    return after


def _holds(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, lists from their beginning on."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _holds(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) >= len(part) and all(map(_holds, whole, part))
    return bool(whole == part)


def rules(makefile: str) -> dict[str, str]:
    """What the rules of a Makefile say, by target: their prerequisites and recipes."""
    said: dict[str, str] = {}
    targets: list[str] = []
    for line in makefile.replace("\\\n", " ").splitlines():
        rule = re.match(r"([^\s#:=][^#:=]*)::?(?![:=])", line)
        if rule:
            targets = rule[1].split()
        if rule or line.startswith("\t"):
            said |= {target: f"{said.get(target, '')}{line}\n" for target in targets}
    return said
