"""The section `prepare` of `params.yaml`, and what is raised where nothing could be prepared."""

from __future__ import annotations

from pathlib import Path

from reloadgate.errors import UsageError
from reloadgate.nouns import noun
from reloadgate.policy import read_yaml
from reloadgate.project import section
from reloadgate.settings import strictly


class PrepareError(Exception):
    """The tables could not be prepared; the message says what, where and how to mend it."""


@noun
class Settings:
    """The section `prepare` of `params.yaml`; raises ValueError for a value out of range."""

    seed: int
    test_share: float
    probe_rows: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: give an integer from 0")
        if not 0 < self.test_share < 1:
            raise ValueError(f"test_share is {self.test_share}: give a number between 0 and 1, like 0.2")
        if self.probe_rows < 1:
            raise ValueError(f"probe_rows is {self.probe_rows}: give an integer from 1")

    @classmethod
    def read(cls, params: Path) -> Settings:
        """The settings in a YAML file, as DVC reads it; raises PrepareError where it has no such settings, or others."""
        try:
            return strictly(cls, section(read_yaml(params), "prepare"), f"{params}: prepare")
        except UsageError as error:
            raise PrepareError(str(error)) from error
