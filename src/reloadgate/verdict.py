"""Verdict: PASS, FAIL, UNVERIFIED or ERROR, for every row and for the whole."""

from collections.abc import Iterable
from enum import StrEnum

from reloadgate.comparison import Row
from reloadgate.nouns import noun
from reloadgate.policy import Policy


class Status(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    UNVERIFIED = "UNVERIFIED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    """Of a row only: it does not apply here; the row carries the reason."""
    NOTED = "NOTED"
    """Of a row only: worth knowing, and nothing that the policy asks for."""


EXIT_CODES = {Status.PASS: 0, Status.FAIL: 1, Status.UNVERIFIED: 3, Status.ERROR: 3}

BAD = (Status.FAIL, Status.ERROR, Status.UNVERIFIED)
"""What is no pass, the worst first."""

_WORST_FIRST = (*BAD, Status.PASS)
"""Something that was checked and does not hold outweighs what could not be checked."""


def worst(statuses: set[Status]) -> Status:
    """The verdict of a whole; nothing checked is UNVERIFIED."""
    return next((status for status in _WORST_FIRST if status in statuses), Status.UNVERIFIED)


def worst_first(models: Iterable["ModelVerdict"]) -> list["ModelVerdict"]:
    """The models in the order in which people want to read of them; equals stay in the order that they had."""
    return sorted(models, key=lambda model: _WORST_FIRST.index(model.status))


@noun
class Finding:
    """A row and what the policy says of it."""

    row: Row
    status: Status
    message: str
    limit: float | None
    """The tolerance that applied, in the unit of `smallest_tolerance`; None where no tolerance can excuse the row."""
    smallest_tolerance: float | None
    """The smallest tolerance that would have passed."""
    setting: str
    """The setting that this tolerance belongs to, as written after `--policy`."""
    remedy: str


@noun
class ModelVerdict:
    model: str
    version: str
    status: Status
    saved_sha256: str | None
    files: dict[str, dict[str, str]]
    """By artifact: SHA-256 by path, as the verifying process read them."""
    environment_changes: tuple[str, ...]
    findings: tuple[Finding, ...]


@noun
class Verdict:
    schema_version: str
    status: Status
    reason: str
    """Why the whole is what it is, in one sentence."""
    policy: Policy
    models: tuple[ModelVerdict, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for model in self.models for finding in model.findings)

    def of(self, *statuses: Status) -> tuple[Finding, ...]:
        """The findings of some statuses, in order."""
        return tuple(finding for finding in self.findings if finding.status in statuses)
