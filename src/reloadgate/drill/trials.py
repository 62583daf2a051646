"""What a drill finds: a trial a damage and artifact, and the score of them all. Nouns."""

from collections.abc import Iterable
from enum import StrEnum

from reloadgate.nouns import noun
from reloadgate.policy import Policy
from reloadgate.verdict import Status


class Area(StrEnum):
    """What a damage damages."""

    WEIGHTS = "weights"
    STATE = "state"
    OPTIMIZER = "optimizer"
    COMPILING = "compiling"
    CONFIGURATION = "configuration"
    ARCHIVE = "archive"
    FORMATS = "formats"
    PLACE = "place"
    EVIDENCE = "evidence"
    PIPELINE = "pipeline"


class Outcome(StrEnum):
    """What became of a damage."""

    CAUGHT = "caught"
    DIGEST = "caught by the digest alone"
    """A digest of the file tells that it is another one, and nothing tells that it is a worse one: had the save itself made
    the damage, it would pass. No catch, for the score."""
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    """The damaged artifact holds the same values, bit for bit: there is nothing to notice."""
    NOT_APPLICABLE = "not applicable"


COUNTED = (Outcome.CAUGHT, Outcome.DIGEST, Outcome.SURVIVED)
"""What the score is a share of."""

MISSED = (Outcome.DIGEST, Outcome.SURVIVED)


@noun
class Trial:
    """One damage of one artifact of one model version."""

    model: str
    artifact: str
    area: Area
    damage: str
    imitates: str
    """What happens to real versions, as a sentence."""
    seen: str
    """Where it was seen."""
    outcome: Outcome
    by: tuple[str, ...]
    """The groups of checks that caught it, in the order in which they look; of a thorough drill all that do."""
    reason: str
    """What the first of them said; why it is equivalent, or does not apply; what let a survivor through."""
    advice: tuple[str, ...]
    """What would catch a survivor."""


@noun
class Score:
    """How many of the damages that can be noticed were caught."""

    caught: int
    missed: int
    equivalent: int
    not_applicable: int

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None where nothing could be noticed."""
        counted = self.caught + self.missed
        return self.caught / counted if counted else None


def score_of(trials: Iterable[Trial]) -> Score:
    outcomes = [trial.outcome for trial in trials]
    return Score(
        caught=outcomes.count(Outcome.CAUGHT),
        missed=sum(outcome in MISSED for outcome in outcomes),
        equivalent=outcomes.count(Outcome.EQUIVALENT),
        not_applicable=outcomes.count(Outcome.NOT_APPLICABLE),
    )


@noun
class Drill:
    """A drill of some model versions: PASS where the score is what was asked for, UNVERIFIED where nothing can be said."""

    schema_version: str
    status: Status
    reason: str
    policy: Policy
    min_score: float | None
    thorough: bool
    """Whether copies predicted and trained even where what they hold told already that they are damaged."""
    trials: tuple[Trial, ...]
    unfit: dict[str, str]
    """Artifacts that no damage was tried on, by `model artifact`, with the reason: a gate that refuses the undamaged one would
    seem to catch everything."""
    seconds: float

    @property
    def score(self) -> Score:
        return score_of(self.trials)
