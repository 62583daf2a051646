"""Which damages are tried on which artifacts, and the copies that they are done to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reloadgate.drill.contents import content
from reloadgate.drill.copies import Copy, DoesNotApplyError, Original, place_for
from reloadgate.drill.damages.damage import Damage, Scope
from reloadgate.drill.outcomes import told_trial
from reloadgate.drill.trials import Area, Outcome, Trial
from reloadgate.evidence import Artifact, Capability
from reloadgate.nouns import digest
from reloadgate.project import VersionRecord
from reloadgate.text import error_line

ROOM = 1 << 31
"""Bytes that copies may take at a time, where their file system shares no storage."""

ELSEWHERE = (Area.PLACE, Area.EVIDENCE)
"""Areas whose damages leave the artifact as it is."""

Pair = tuple[tuple[Artifact, ...], Damage]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A copy that waits to be verified; without a damage it is the one that all others are held against."""

    name: str
    copy: Copy
    damage: Damage | None
    record: VersionRecord | None


class Preparing:
    """Makes the copies of a drill.

    Args:
        places: the folder that takes the copies, by the place that it lies in.
        told: takes the trials of damages that need no reload.
        sample: how many damages to try of each version; None: all.
    """

    def __init__(self, places: Mapping[Path, Path], damages: Sequence[Damage], told: list[Trial], sample: int | None) -> None:
        self._places, self._damages, self._told, self._sample = places, damages, told, sample
        self._number = 0

    def batches(self, originals: Sequence[Original]) -> Iterator[list[Prepared]]:
        """The copies of all versions, as many at a time as there is room for."""
        batch: list[Prepared] = []
        room = ROOM
        for original in originals:
            for prepared in self._copies(original):
                batch.append(prepared)
                room -= original.bytes
                if room < 0:
                    yield batch
                    batch, room = [], ROOM
        if batch:
            yield batch

    def _copies(self, original: Original) -> Iterator[Prepared]:
        """A copy for every damage that applies, and an undamaged one of what they are done to; the areas take turns."""
        undamaged: dict[tuple[Artifact, ...], dict[str, str]] = {}
        queues = [iter(pairs) for pairs in _by_area(original, self._damages)]
        tried = 0
        while queues:
            for queue in list(queues):
                if tried == self._sample:
                    return
                for artifacts, damage in queue:
                    copy, record = self._damaged(original, artifacts, damage)
                    if copy is None:
                        continue
                    if artifacts not in undamaged:
                        pristine = self._copy(original, artifacts)
                        undamaged[artifacts] = content(pristine)
                        yield self._prepared(pristine, None, None)
                    if damage.area not in ELSEWHERE and content(copy) == undamaged[artifacts]:
                        copy.remove()
                        self._tell(original, artifacts, damage, Outcome.EQUIVALENT, "every value in it is the same, bit for bit")
                        continue
                    yield self._prepared(copy, damage, record)
                    tried += 1
                    break
                else:
                    queues.remove(queue)

    def _damaged(
        self, original: Original, artifacts: tuple[Artifact, ...], damage: Damage
    ) -> tuple[Copy | None, VersionRecord | None]:
        """A damaged copy, None where the damage does not apply, and the record that stays where none is made to match."""
        copy = self._copy(original, artifacts)
        record = None
        try:
            if damage.resuming and artifacts[0].capability is Capability.INFER:
                raise DoesNotApplyError("only training needs what this damages, and the artifact can only infer")
            if not damage.matched:
                copy.seal()
                record = copy.record(_name(copy))
            damage.apply(copy)
        except Exception as error:  # what lies there is no artifact of its name: h5py, zipfile and json each have their own
            copy.remove()
            known = isinstance(error, DoesNotApplyError)
            reason = str(error) if known else f"its files cannot be read as what they are called: {error_line(error)}"
            self._tell(original, artifacts, damage, Outcome.NOT_APPLICABLE, reason)
            return None, None
        return copy, record

    def _tell(self, original: Original, artifacts: tuple[Artifact, ...], damage: Damage, outcome: Outcome, reason: str) -> None:
        self._told.append(told_trial(original.name, artifacts, damage, outcome, reason))

    def _prepared(self, copy: Copy, damage: Damage | None, record: VersionRecord | None) -> Prepared:
        """The copy as it is to be verified; where none stays, manifest and record match it."""
        if record is None:
            if damage is not None:
                copy.match()
            copy.seal()
            record = copy.record(_name(copy))
        return Prepared(name=_name(copy), copy=copy, damage=damage, record=record if copy.original.recorded else None)

    def _copy(self, original: Original, artifacts: tuple[Artifact, ...]) -> Copy:
        self._number += 1
        folder = self._places[place_for(original.version)] / f"{self._number:05}"
        return Copy(original, artifacts, folder / original.version.name)


def _name(copy: Copy) -> str:
    """What a copy is verified as."""
    return f"{copy.original.name} {copy.number}"


def _by_area(original: Original, damages: Sequence[Damage]) -> list[list[Pair]]:
    """What may be tried of a version, in an order that does not go by artifacts: a sample is from all of them."""
    artifacts = original.saved.artifacts
    scopes: dict[Scope, list[tuple[Artifact, ...]]] = {
        Scope.ARTIFACT: [(artifact,) for artifact in artifacts],
        Scope.VERSION: [artifacts[:1]],
        Scope.SIBLINGS: [artifacts],
    }
    pairs = [(chosen, damage) for damage in damages for chosen in scopes[damage.scope]]
    by_area: dict[Area, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: digest([original.name, [one.path for one in pair[0]], pair[1].name])):
        by_area.setdefault(pair[1].area, []).append(pair)
    return [by_area[area] for area in Area if area in by_area]
