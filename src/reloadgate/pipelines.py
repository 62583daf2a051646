"""What the files of a repository's pipelines say, as DVC reads them: values of `${…}`, items of a `foreach`, outputs."""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from reloadgate import insertion
from reloadgate.errors import UsageError

ELSEWHERE = {".git", ".dvc", ".venv", "venv", "node_modules", "site-packages"}
VALUE = r"\$\{\s*([\w.-]+)\s*\}"


class Files:
    """Texts as they are and as they will be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before: dict[str, str | None] = {}
        self._after: dict[str, str | None] = {}

    def now(self, path: str) -> str:
        if path not in self._before:
            file = self._root / path
            # Bytes, because reading as text would turn \r\n into \n.
            self._before[path] = self._after[path] = file.read_bytes().decode() if file.is_file() else None
        return self._after[path] or ""

    def parsed(self, path: str) -> Any:
        return insertion.parse(self.now(path), path)

    def edit(self, path: str, change: Callable[[str], str | None]) -> None:
        """Change a text; None takes the file away, and "" leaves none where there is none."""
        now = self.now(path)
        after, before = change(now), self._before[path]
        if before == now == "" and after:
            after = insertion.of_empty(after)
        self._after[path] = (after or None) if before is None else after

    def changes(self) -> dict[str, tuple[str | None, str | None]]:
        pairs = {path: (before, self._after[path]) for path, before in self._before.items()}
        return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def pipelines(root: Path, pattern: str = "dvc.yaml") -> list[str]:
    """Every dvc.yaml, the root's first; or what else DVC reads, by its name."""
    found = (path.relative_to(root) for path in root.rglob(pattern))
    return [path.as_posix() for path in sorted(found, key=lambda p: (len(p.parts), p)) if not ELSEWHERE & {*path.parts}]


def values_of(files: Files, path: str) -> dict[str, Any]:
    """What `${…}` stands for in a dvc.yaml: what is in the params.yaml beside it, and under its `vars`."""
    folder = Path(path).parent
    values = dict(files.parsed((folder / "params.yaml").as_posix()))
    for one in files.parsed(path).get("vars") or ():
        if isinstance(one, dict):
            values |= one
        elif (file := folder / str(one).partition(":")[0]).suffix in {".yaml", ".yml", ".json"}:
            values |= files.parsed(file.as_posix())
    return values


def items_of(definition: Any, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same for every item of a `foreach` or a `matrix`."""
    if "foreach" in definition:
        over = resolved(definition["foreach"], values)
        if isinstance(over, dict):
            yield from (values | {"key": key, "item": item} for key, item in over.items())
        elif isinstance(over, list):
            yield from (values | {"item": item} for item in over)
    elif "matrix" in definition:
        axes = {str(axis): resolved(along, values) for axis, along in definition["matrix"].items()}
        if all(isinstance(along, list) for along in axes.values()):
            yield from (values | {"item": dict(zip(axes, one, strict=True))} for one in itertools.product(*axes.values()))
    else:
        yield values


def resolved(value: Any, values: Any) -> Any:
    """What `${a.b}` stands for, None where that cannot be told; anything else as it is."""
    match = re.fullmatch(VALUE, value) if isinstance(value, str) else None
    if match is None:
        return value
    for key in match[1].split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def filled(text: Any, values: Any) -> str:
    """A text with every `${a.b}` filled in that stands for a text or a number."""

    def value_of(match: re.Match[str]) -> str:
        value = resolved(match[0], values)
        return str(value) if isinstance(value, (str, int, float)) else match[0]

    return re.sub(VALUE, value_of, str(text))


def demand_disjoint(files: Files, root: Path) -> None:
    """
    Raises:
        UsageError: an output lies in another, which DVC refuses.
    """
    lie = sorted((Path(output).parts, stage) for stage, output in every_output(files, root) if "${" not in output)
    for (one, above), (other, below) in itertools.pairwise(lie):  # in this order a folder comes right before what is in it
        if other[: len(one)] == one:
            raise UsageError(
                f"{'/'.join(other)} (of {below}) would lie in the output {'/'.join(one)} (of {above}), which DVC refuses: "
                f"let {above} list what it writes there one by one, or write elsewhere, and call this again"
            )


def every_output(files: Files, root: Path) -> Iterator[tuple[str, str]]:
    """Every stage and .dvc file, and what it writes or tracks, from the root on."""
    for path in dict.fromkeys(("dvc.yaml", *pipelines(root))):
        values = values_of(files, path)
        for stage, definition in (files.parsed(path).get("stages") or {}).items():
            body = definition.get("do", definition)
            outputs = [output for key in ("outs", "metrics", "plots") for output in body.get(key) or ()]
            for one, output in itertools.product(items_of(definition, values), outputs):
                name = next(iter(output)) if isinstance(output, dict) else output
                folder = PurePath(path).parent / filled(body.get("wdir", "."), one)
                yield stage if path == "dvc.yaml" else f"{path}:{stage}", os.path.normpath(folder / filled(name, one))
    for path in pipelines(root, "*.dvc"):
        tracked = files.parsed(path)
        for output in tracked.get("outs") or ():
            yield path, os.path.normpath(PurePath(path).parent / tracked.get("wdir", ".") / output["path"])
