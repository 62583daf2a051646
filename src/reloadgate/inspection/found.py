"""What an inspection comes to: nouns, and the list that fills while it looks."""

from collections.abc import Iterable

from reloadgate.nouns import noun
from reloadgate.text import one_line

MOST_FINDINGS = 100
"""Findings of one artifact that are kept: the rest says nothing new, and a hostile file could make millions."""


@noun
class Finding:
    """One thing that was seen; `refused` where it is why the artifact is not loaded."""

    code: str
    """The kind of finding, in a word that stays the same between releases."""
    place: str
    """Member, dataset, layer or node."""
    message: str
    remedy: str
    refused: bool


@noun
class Member:
    """A file of the artifact, or a member of an archive."""

    path: str
    size: int
    """Bytes when read."""
    stored: int
    """Bytes that it takes."""


@noun
class Variable:
    path: str
    shape: tuple[int, ...]
    dtype: str


@noun
class Layer:
    name: str
    module: str
    class_name: str


@noun
class Inspected:
    """What an artifact is, without anything of it having been loaded."""

    path: str
    kind: str
    size: int
    members: tuple[Member, ...]
    layers: tuple[Layer, ...]
    variables: tuple[Variable, ...]
    optimizer: str
    """Class of the optimizer that the configuration names; "" where it names none."""
    slots: int
    """Stored variables of the optimizer."""
    custom: tuple[str, ...]
    """Custom classes and functions that it needs, declared or not."""
    versions: tuple[str, ...]
    """What wrote it, such as "keras 3.15.1"."""
    findings: tuple[Finding, ...]
    parts: tuple["Inspected", ...] = ()
    """Artifacts in a directory of the user's own."""

    @property
    def refused(self) -> bool:
        return any(finding.refused for finding in self.findings) or any(part.refused for part in self.parts)

    def summary(self) -> str:
        """What it is, in one line."""
        said = [self.kind, f"{self.size:,} bytes"]
        for number, what in ((len(self.parts), "artifacts"), (len(self.layers), "layers"), (len(self.variables), "arrays")):
            if number:
                said.append(f"{number} {what}")
        if self.optimizer or self.slots:
            said.append(f"{self.optimizer or 'an optimizer'} with {self.slots} variables")
        if self.custom:
            said.append(f"custom: {first(self.custom)}")
        return one_line(", ".join([*said, *self.versions]))


class RefusedError(Exception):
    """Nothing further of this artifact can be looked at."""

    def __init__(self, code: str, place: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.finding = (code, place, message, remedy)


class Report:
    """An `Inspected` that fills."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.kind = "unknown"
        self.members: list[Member] = []
        self.layers: list[Layer] = []
        self.variables: list[Variable] = []
        self.optimizer = ""
        self.slots = 0
        self.custom: set[str] = set()
        self.versions: set[str] = set()
        self.findings: list[Finding] = []

    def refuse(self, code: str, place: str, message: str, remedy: str = "") -> None:
        self._add(code, place, message, remedy, True)

    def note(self, code: str, place: str, message: str, remedy: str = "") -> None:
        self._add(code, place, message, remedy, False)

    def _add(self, code: str, place: str, message: str, remedy: str, refused: bool) -> None:
        finding = Finding(
            code=code,
            place=one_line(place, 300),
            message=one_line(message),
            remedy=remedy or REMEDIES.get(code, ""),
            refused=refused,
        )
        if finding in self.findings:
            return
        if len(self.findings) < MOST_FINDINGS or (refused and not any(one.refused for one in self.findings)):
            self.findings.append(finding)

    def inspected(self, parts: tuple[Inspected, ...] = ()) -> Inspected:
        return Inspected(
            path=self.path,
            kind=self.kind,
            size=sum(member.stored for member in self.members) + sum(part.size for part in parts),
            members=tuple(self.members),
            layers=tuple(self.layers),
            variables=tuple(self.variables),
            optimizer=self.optimizer,
            slots=self.slots,
            custom=tuple(sorted(self.custom)),
            versions=tuple(sorted(self.versions)),
            findings=tuple(self.findings),
            parts=parts,
        )


def first(names: Iterable[str], most: int = 3) -> str:
    """A few of the names, for a message."""
    shown = sorted(names)
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


SAVE_AGAIN = "save the model again, or fetch the file again from where it was saved"
RAISE = "if the model is yours and really needs it, raise the limit in params.yaml, section inspect"
REMEDIES = {
    "truncated": SAVE_AGAIN,
    "empty": SAVE_AGAIN,
    "h5-damaged": SAVE_AGAIN,
    "crc": SAVE_AGAIN,
    "missing-member": SAVE_AGAIN,
    "missing-weights": SAVE_AGAIN,
    "missing-optimizer": "save the model with its optimizer, by model.save of a compiled and trained model",
    "undeclared-class": "if you know this class, declare it: imports in reloadgate.save, or --declare",
    "lambda": "replace the lambda by a layer or a function registered with @keras.saving.register_keras_serializable",
    "pickle": "a pickle runs code when it is read: save arrays with numpy.savez, models with model.save",
    "symlink": "name the file itself; for links of DVC's cache, run dvc unprotect or set cache.type to reflink,hardlink,copy",
    "too-large": RAISE,
    "too-many": RAISE,
    "too-deep": RAISE,
    "declared-size": SAVE_AGAIN,
    "nonfinite": "find the step that made it NaN or infinite, and save a model from before it",
    "graph-operation": "export the model without this operation: no graph is loaded that reaches files or other programs",
    "h5-feature": "write the file again with Keras: it needs plain datasets only",
}
