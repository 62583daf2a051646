"""What a damage is, and how the modules of this folder declare theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reloadgate.drill.copies import Copy
from reloadgate.drill.trials import Area


class Scope(StrEnum):
    ARTIFACT = "artifact"
    """Every artifact of a version by itself."""
    VERSION = "version"
    """Once a version, of which the copy holds the first artifact."""
    SIBLINGS = "siblings"
    """Once a version, of which the copy holds all artifacts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """Something that happens to real model versions, done to a copy of one."""

    area: Area
    name: str
    imitates: str
    """One sentence."""
    seen: str
    """Where: an article's scenario by its number in `examples/hazards`, or the tool that does it."""
    apply: Callable[[Any], None]
    """Damages the copy (of the pipeline: the scene); raises `DoesNotApplyError`."""
    scope: Scope = Scope.ARTIFACT
    matched: bool = True
    """Whether manifest and record are made to match afterwards, as if the save itself had made the damage."""
    resuming: bool = False
    """Whether only an artifact that can resume has what is damaged."""


class Declared(list[Damage]):
    """The damages of one area, in the order in which they are declared."""

    def __init__(self, area: Area, scope: Scope = Scope.ARTIFACT, matched: bool = True, resuming: bool = False) -> None:
        super().__init__()
        self._area, self._scope, self._matched, self._resuming = area, scope, matched, resuming

    def __call__(
        self, name: str, imitates: str, seen: str, *, matched: bool | None = None, resuming: bool | None = None
    ) -> Callable[[Callable[[Copy], None]], Callable[[Copy], None]]:
        """Declare a function as a damage."""

        def declare(apply: Callable[[Copy], None]) -> Callable[[Copy], None]:
            self.append(
                Damage(
                    area=self._area, name=name, imitates=imitates, seen=seen, apply=apply, scope=self._scope,
                    matched=self._matched if matched is None else matched,
                    resuming=self._resuming if resuming is None else resuming,
                )
            )  # fmt: skip
            return apply

        return declare
