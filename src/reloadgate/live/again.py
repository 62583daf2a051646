"""An artifact loaded a second and a third time: from another path, and as the loaded model was saved again."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from reloadgate.evidence import SERVE, Artifact, Capability, Check, Group, Observation, Recipe, Tried
from reloadgate.formats import own
from reloadgate.live.behaviour import RandomState
from reloadgate.live.catalog import STORED
from reloadgate.live.hold import number_after
from reloadgate.live.look import as_inputs
from reloadgate.live.observe import GLANCED, glance
from reloadgate.live.served import glance_served
from reloadgate.live.variables import give_back
from reloadgate.probe import Probe
from reloadgate.text import error_line


class Again:
    """Round trip and relocation of an artifact.

    Args:
        form: the module of its format.
        observed: of the first load, which the others are held against.
        expected: of the saved model; None where there is none.
        folder: where it may be saved again.
        random_state: what was put in place before the first load predicted.
        names: how far Keras had numbered names before the first load: a loader may find by them what it restores.
    """

    def __init__(
        self,
        form: Any,
        artifact: Artifact,
        recipe: Recipe,
        probe: Probe,
        observed: Observation,
        expected: Observation | None,
        folder: Path,
        random_state: RandomState,
        names: Mapping[str, int],
    ) -> None:
        self._form, self._recipe, self._probe = form, recipe, probe
        self._inputs = as_inputs(probe.x)
        self._observed, self._expected, self._random_state, self._names = observed, expected, random_state, names
        self._written = folder / f"again-{form.FILE}"
        reason = "only your own code writes this artifact" if form is own else form.CANNOT
        self._writes = form is not own and artifact.capability is not Capability.INFER
        self._cannot = _check(Group.ROUND_TRIP, Tried.SKIPPED, reason)

    def checks(self, other: Path) -> Iterator[Check]:
        """The checks; `other` is another path of the same bytes."""
        if not {output.mode for output in self._observed.outputs} & {GLANCED, SERVE}:
            for group in (Group.RELOCATION, Group.ROUND_TRIP):
                yield _check(group, Tried.UNCHECKED, "there is no prediction to hold another against")
            return
        saved: list[Check] = []

        def save(model: Any) -> None:
            """Before it is called, which may move what a layer counts."""
            saved.append(_tried(Group.ROUND_TRIP, lambda: self._save(model)))

        yield _tried(Group.RELOCATION, lambda: self._differs(other, save if self._writes else None))
        give_back()
        if not self._writes:
            yield self._cannot
        elif not saved:
            yield _check(Group.ROUND_TRIP, Tried.UNCHECKED, "it did not load from another path, and so was not saved again")
        elif saved[0].tried is Tried.BROKEN:
            yield saved[0]
        else:
            yield _tried(Group.ROUND_TRIP, lambda: self._differs(self._written))

    def from_nothing(self, empty: Path) -> Check:
        """Whether the user's loader gives the same model where there is nothing to load: then it is no artifact's."""
        try:
            same = not self._differs(empty)
        except (Exception, SystemExit):
            same = False
        message = (
            "the loader gives the same model there: it comes from the loader's code, and not from the version" if same else ""
        )
        tried = Tried.BROKEN if same else Tried.HOLDS
        return Check(group=Group.RELOCATION, subject="an empty directory", tried=tried, message=message)

    def _save(self, model: Any) -> str:
        if write_out := self._form.save(model, self._written):
            write_out()
        return ""

    def _differs(self, path: Path, first: Callable[[Any], None] | None = None) -> str:
        """What differs between the model at a path and the one that was observed: its variables, and its predictions."""
        number_after(self._names)
        model = self._form.load(path, self._recipe, self._inputs)
        if first:
            first(model)
        if isinstance(model, keras.Model):
            (variables, outputs), mode = glance(model, self._probe, self._random_state), GLANCED
        else:
            (variables, outputs), mode = glance_served(model, path, self._probe, self._expected), SERVE
        before = {v.key: v.value.sha256 for v in self._observed.variables if v.kind in STORED}
        moved = sorted(key for key in {*before, *variables} if before.get(key) != variables.get(key))
        if moved:
            aged = "; there the files were changed in another order, as after a checkout" if self._form is own else ""
            return f"{len(moved)} variables differ, the first {moved[0]}{aged}"
        for output in self._observed.outputs:
            if output.mode == mode and not output.noise and outputs.get(output.name) != output.value.sha256:
                return f"the output {output.name} differs"
        return ""


def _tried(group: Group, action: Callable[[], str]) -> Check:
    """`action` returns what differs, "" when nothing does."""
    try:
        difference = action()
    except Exception as error:
        difference = error_line(error)
    return _check(group, Tried.BROKEN if difference else Tried.HOLDS, difference)


def _check(group: Group, tried: Tried, message: str) -> Check:
    return Check(group=group, subject="model", tried=tried, message=message)
