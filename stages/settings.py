"""The section `prepare` of `params.yaml`, and what is raised where nothing could be prepared."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from pathlib import Path

import yaml


class PrepareError(Exception):
    """The tables could not be prepared; the message says what, where and how to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The section `prepare` of `params.yaml`; raises PrepareError for a value of the wrong type or out of range."""

    seed: int
    test_share: float
    probe_rows: int

    def __post_init__(self) -> None:
        # `type(...) is`: a bool is an int to isinstance, and `seed: yes` is a mistake.
        if type(self.seed) is not int or self.seed < 0:
            raise PrepareError(f"prepare.seed is {self.seed!r}: give an integer from 0")
        if type(self.test_share) is not float or not 0 < self.test_share < 1:
            raise PrepareError(f"prepare.test_share is {self.test_share!r}: give a number between 0 and 1, like 0.2")
        if type(self.probe_rows) is not int or self.probe_rows < 1:
            raise PrepareError(f"prepare.probe_rows is {self.probe_rows!r}: give an integer from 1")

    @classmethod
    def read(cls, params: Path) -> Settings:
        """The settings in a YAML file; raises PrepareError for an unreadable file and for an unknown or missing key."""
        known = [field.name for field in fields(cls)]
        try:
            section = yaml.safe_load(params.read_text(encoding="utf-8"))["prepare"]
            given = {str(key): value for key, value in section.items()}
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise PrepareError(f"{params}: give it a section `prepare` with {', '.join(known)} ({error!r})") from error
        faults = [f"prepare.{key} is missing" for key in known if key not in given]
        for key in given.keys() - set(known):
            close = difflib.get_close_matches(key, known, n=1)
            faults.append(f"prepare.{key} is unknown" + (f", did you mean {close[0]}?" if close else ""))
        if faults:
            raise PrepareError(f"{params}: {'; '.join(sorted(faults))}")
        return cls(**given)
