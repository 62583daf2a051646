"""How far a model version is from another revision's version of the same model: information, and no verdict.

Both were observed while they were live, and that evidence is laid against each other. A model that is trained again may decide
otherwise: this is no failure, and worth knowing.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from reloadgate.arrays import Array, ArrayReader
from reloadgate.comparison import Comparison, Outcome
from reloadgate.differences import changed_decisions, kept_difference
from reloadgate.errors import ReloadgateError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, PREDICT, Kind, SavedEvidence, read_saved
from reloadgate.extras import need
from reloadgate.files import project_root, scratch
from reloadgate.nouns import noun
from reloadgate.policy import read_yaml
from reloadgate.project import PARAMS, REPORTS, Subject, declared
from reloadgate.revisions import Versions, git

Saved = tuple[SavedEvidence, ArrayReader]


@noun
class OutputDrift:
    """One output of `predict`, on the same probe."""

    name: str
    decisions: int
    changed: int
    """Decisions that are others, as `differences.changed_decisions` tells them."""
    largest: float | None
    """Largest absolute difference; None where no number measures it."""


@noun
class VariableDrift:
    """A weight that is not the same."""

    name: str
    outcome: Outcome
    """`differs` in value, `changed` in shape or dtype, `missing` now, `extra` now."""
    largest: float | None


@noun
class Drift:
    """One model against its version in another revision; `then` and `now` are (then, now)."""

    model: str
    revision: str
    version: str
    """The directory of the version then."""
    unknown: str
    """Why nothing can be told; "" where it can."""
    no_churn: str
    """Why the outputs cannot be laid against each other; "" where they can."""
    outputs: tuple[OutputDrift, ...]
    weights: int
    """How many weights were looked at."""
    variables: tuple[VariableDrift, ...]
    bytes: tuple[int | None, int | None]
    reload_seconds: tuple[float | None, float | None]

    @property
    def churn(self) -> float | None:
        """Share of the decisions that changed; None where it cannot be told."""
        decisions = sum(output.decisions for output in self.outputs)
        return sum(output.changed for output in self.outputs) / decisions if decisions else None

    @property
    def largest(self) -> float | None:
        """Largest absolute difference of a prediction; None where one cannot be measured."""
        found = [output.largest for output in self.outputs]
        return None if not found or None in found else max(one for one in found if one is not None)

    def told(self) -> str:
        """One line of it."""
        if self.unknown:
            return f"not to be told: {self.unknown}"
        parts = [] if self.churn is None else [f"{self.churn:.1%} of the decisions changed"]
        parts += [] if self.largest is None else [f"predictions by {self.largest:.3g} at most"]
        parts += [self.no_churn] if self.no_churn else []
        return ", ".join([*parts, f"{len(self.variables)} of {self.weights} weights differ"])


def against(revision: str, subjects: Sequence[Subject], comparison: Comparison) -> tuple[Drift, ...]:
    """Every version against the one of the same model in another revision, read from git and DVC without a checkout.

    Raises:
        UsageError: this is no repository, or the revision is unknown.
    """
    need("dvc", "--against")
    repository = project_root(Path.cwd())
    if repository is None:
        raise UsageError("--against reads another revision, and this folder is in no repository")
    seconds = {model.model: sum(facts.reload_seconds for facts in model.artifacts) for model in comparison.models}
    with scratch("against") as folder:
        past = _Past(repository, revision, folder)
        return tuple(_drift(subject, past, seconds.get(subject.name)) for subject in subjects)


class _Past:
    """What a revision has of the project in the working directory."""

    def __init__(self, repository: Path, revision: str, folder: Path) -> None:
        self.revision, self._folder = revision, folder
        self._place = Path.cwd().relative_to(repository.resolve())
        self._versions = Versions(repository, revision)
        self._models: dict[str, str] = {}
        self.reload_seconds: dict[str, float] = {}
        with contextlib.suppress(UsageError):  # of before the project had models
            (folder / PARAMS).write_bytes(self._shown(PARAMS))
            self._models = {subject.name: subject.path for subject in declared(read_yaml(folder / PARAMS))}
        with contextlib.suppress(UsageError, ValueError, LookupError, TypeError, AttributeError):
            metrics = json.loads(self._shown(REPORTS / "metrics.json"))["models"]
            self.reload_seconds = {name: float(figures["reload_seconds"]) for name, figures in metrics.items()}

    def _shown(self, path: Path) -> bytes:
        return git(Path(), "show", f"{self.revision}:./{path.as_posix()}")

    def path(self, name: str) -> str:
        """Where the model's version lies in this revision.

        Raises:
            UsageError: there is no such model.
        """
        if name not in self._models:
            raise UsageError(f"{PARAMS} of {self.revision} names no model {name!r}")
        return self._models[name]

    def saved(self, path: str) -> Saved:
        """The evidence of a version.

        Raises:
            UnreadableRecordError: it is not to be had.
        """
        place = (self._place / path / EVIDENCE_DIR).as_posix()
        self._versions.fetch(place, self._folder)
        return read_saved(self._folder / place)


def _drift(subject: Subject, past: _Past, seconds: float | None) -> Drift:
    # A version that was named by its path lies in the folder of its model.
    known = subject.name if subject.name != subject.path else subject.directory.absolute().parent.name
    then, now, path, unknown = None, None, "", ""
    try:
        path = past.path(known)
        then, now = past.saved(path), read_saved(subject.directory / EVIDENCE_DIR)
    except ReloadgateError as error:
        unknown = str(error)
    both = (then, now) if then and now else None
    outputs, no_churn = output_drift(*both) if both else ((), unknown)
    return Drift(
        model=subject.name,
        revision=past.revision,
        version=path,
        unknown=unknown,
        no_churn=no_churn,
        outputs=outputs,
        weights=len({*_weights(both[0]), *_weights(both[1])}) if both else 0,
        variables=tuple(_variables(*both)) if both else (),
        bytes=(_bytes(then), _bytes(now)),
        reload_seconds=(past.reload_seconds.get(known), seconds),
    )


def output_drift(then: Saved, now: Saved) -> tuple[tuple[OutputDrift, ...], str]:
    """The outputs that both versions have in one shape on the same probe, in the order of before; and why there are none."""
    if then[0].probe_sha256 is None or then[0].probe_sha256 != now[0].probe_sha256:
        return (), "the probe is another"
    outputs = tuple(_outputs(then, now))
    return outputs, "" if outputs else "no output is in both versions"


def _outputs(then: Saved, now: Saved) -> Iterator[OutputDrift]:
    before = {output.name: output.value for output in then[0].observation.outputs if output.mode == PREDICT}
    after = {output.name: output.value for output in now[0].observation.outputs if output.mode == PREDICT}
    for name, old in before.items():
        new = after.get(name)
        if new is None or old.shape != new.shape:
            continue
        values = then[1].get(old), now[1].get(new)
        yield OutputDrift(
            name=name,
            decisions=values[0].size // (old.shape[-1] if len(old.shape) > 1 else 1),
            changed=changed_decisions(*values),
            largest=_largest(old, then, new, now),
        )


def _variables(then: Saved, now: Saved) -> Iterator[VariableDrift]:
    before, after = _weights(then), _weights(now)
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield VariableDrift(name=name, outcome=Outcome.MISSING if new is None else Outcome.EXTRA, largest=None)
        elif (old.shape, old.dtype) != (new.shape, new.dtype):
            yield VariableDrift(name=name, outcome=Outcome.CHANGED, largest=None)
        elif old.sha256 != new.sha256:
            yield VariableDrift(name=name, outcome=Outcome.DIFFERS, largest=_largest(old, then, new, now))


def _weights(side: Saved) -> dict[str, Array]:
    return {variable.key: variable.value for variable in side[0].observation.variables if variable.kind is Kind.WEIGHT}


def _largest(old: Array, then: Saved, new: Array, now: Saved) -> float | None:
    if old.sha256 == new.sha256:
        return 0.0
    difference = kept_difference(old, then[1], new, now[1]) if old.dtype == new.dtype else None
    return None if difference is None else difference.max_abs


def _bytes(side: Saved | None) -> int | None:
    return None if side is None else sum(file.size for file in side[0].files)
