"""Comparison: the facts. Saved evidence against reloaded evidence, a row for every single thing looked at; no tolerance."""

from enum import StrEnum

from reloadgate.evidence import Capability, Group
from reloadgate.nouns import noun


class Outcome(StrEnum):
    SAME = "same"
    DIFFERS = "differs"
    """By the row's `difference`: the only outcome that a tolerance can excuse."""
    CHANGED = "changed"
    """In a way that no number measures: another class, another setting, NaN where a number was."""
    MISSING = "missing"
    EXTRA = "extra"
    SWAPPED = "swapped"
    BROKEN = "broken"
    """It was tried and did not work."""
    LOST = "lost"
    """Random state that no artifact holds: the policy `random_state` decides."""
    NOT_EXERCISED = "not exercised"
    UNCHECKED = "unchecked"
    SKIPPED = "skipped"
    NOTED = "noted"


HOLDING = (Outcome.SAME, Outcome.NOTED, Outcome.SKIPPED, Outcome.NOT_EXERCISED)
"""Outcomes of what is not known to be otherwise."""


@noun
class Difference:
    """How far `seen` is from `expected`; finite numbers only."""

    max_abs: float
    mean_abs: float
    max_rel: float
    """Largest difference relative to the larger of the two magnitudes at the same place, 0 where both are 0."""
    max_ulp: int | None
    """Largest distance in units of the last place; None for integers, text and where only a sketch was kept."""
    differing: int
    """Elements that differ; -1 where only a sketch was kept."""
    estimated: bool
    """True where the evidence keeps a sketch: the figures are then estimates, the inequality is certain."""


@noun
class Row:
    """One thing that was looked at, in one artifact of one model."""

    model: str
    artifact: str
    group: Group
    subject: str
    outcome: Outcome
    expected: str = ""
    seen: str = ""
    detail: str = ""
    """What it means, as a sentence."""
    difference: Difference | None = None
    dtype: str = ""
    scale: float = 0.0
    """Largest magnitude of what was expected: a tolerance above it could not fail."""
    noise: float = 0.0
    """The floor measured on the saved side."""
    flips: int | None = None
    """Decisions that changed, as `differences.changed_decisions` tells them."""


@noun
class ArtifactFacts:
    """What is known of an artifact besides its rows."""

    artifact: str
    format: str
    capability: Capability
    cannot: str
    """What the installed Keras cannot do with this format, as a sentence; "" where it can do all."""
    same_environment: bool
    environment_changes: tuple[str, ...]
    files: dict[str, str]
    """SHA-256 by path, as the verifying process read them."""
    bytes: int
    reload_seconds: float
    losses: dict[str, tuple[float | None, ...]]
    """`loss` of the resumed steps, `uninterrupted` and `reloaded`; None where it was no number."""


@noun
class ModelComparison:
    model: str
    version: str
    """Directory of the model version, relative to the project where it lies inside it."""
    saved_sha256: str | None
    artifacts: tuple[ArtifactFacts, ...]
    rows: tuple[Row, ...]


@noun
class Comparison:
    schema_version: str
    models: tuple[ModelComparison, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for model in self.models for row in model.rows)
