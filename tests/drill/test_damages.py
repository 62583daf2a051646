"""Damages: each changes what it is about, and nothing of the version that is drilled."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drill.versions import CHECKPOINT, FOLDER, KERAS, LEGACY, SERVED, WEIGHTS, arrays, record_of, write_version
from reloadgate.drill.contents import content, held, members, write_members
from reloadgate.drill.copies import Copy, DoesNotApplyError, Original
from reloadgate.drill.damages import DAMAGES
from reloadgate.drill.damages.damage import Damage, Scope
from reloadgate.drill.preparing import ELSEWHERE, Preparing
from reloadgate.drill.tensors import Tensors
from reloadgate.drill.trials import Area, Outcome, Trial
from reloadgate.evidence import Artifact, FormatName
from reloadgate.files import digests
from reloadgate.formats import keras_archive, keras_directory, weights
from reloadgate.inspection import inspect
from reloadgate.project import Subject

pytestmark = pytest.mark.pipeline  # some twelve seconds that `make check` has not

KERNEL = "layers/dense/vars/0"


def made(root: Path, *artifacts: Artifact) -> Original:
    """A version with every format, or with some; another model lies beside it."""
    version = root / "models/m/1.0.0"
    saved = write_version(version, *artifacts)
    other = write_version(root / "models/other/1.0.0", *artifacts)
    for file in other.files:
        path = root / "models/other/1.0.0" / file.path
        path.write_bytes(path.read_bytes()[::-1])
    subject = Subject(name="m", path=str(version))
    return Original(subject, record_of(subject, saved))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """Never change it: copy."""
    return made(tmp_path_factory.mktemp("drilled"))


def copied(original: Original, *artifacts: Artifact) -> Copy:
    folder = original.version.parents[2] / "copies"
    return Copy(original, artifacts or (KERAS,), folder / uuid.uuid4().hex / "1.0.0")


def named(name: str) -> Damage:
    return next(damage for damage in DAMAGES if damage.name == name)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.area}: {damage.name}")
def test_a_damage_changes_the_artifact_or_says_why_not_and_leaves_the_original_alone(damage: Damage, original: Original) -> None:
    before = digests(original.version)
    every = [original.saved.artifacts] if damage.scope is Scope.SIBLINGS else [(a,) for a in original.saved.artifacts]
    for artifacts in every:
        copy = copied(original, *artifacts)
        copy.seal()
        was, evidence, place = content(copy), digests(copy.evidence), (copy.version.stat().st_mode, copy.version.resolve())
        try:
            damage.apply(copy)
        except DoesNotApplyError as reason:
            assert str(reason)
            continue
        packed = damage.name in ("packed again", "bytes after its end")  # the same content, in another file
        match damage.area:
            case Area.PLACE:
                assert (copy.version.stat().st_mode, copy.version.resolve()) != place
            case Area.EVIDENCE:
                assert digests(copy.evidence) != evidence
            case _:
                assert (content(copy) == was) is packed
        copy.remove()
        assert digests(original.version) == before
        return
    pytest.fail("it applied to nothing")


def test_every_damage_has_a_name_of_its_own_and_says_what_it_imitates() -> None:
    names = [(damage.area, damage.name) for damage in DAMAGES]
    assert len(names) == len(set(names)) > 100
    assert all(damage.imitates and damage.seen for damage in DAMAGES)
    assert {damage.area for damage in DAMAGES} == set(Area) - {Area.PIPELINE}


@pytest.mark.parametrize("artifact", [KERAS, FOLDER, WEIGHTS, LEGACY])
def test_one_ulp_is_one_ulp_of_one_element_in_every_format_that_keeps_hdf5(artifact: Artifact, original: Original) -> None:
    copy = copied(original, artifact)
    named("one weight by one ULP").apply(copy)
    with held(copy) as variables:
        seen = variables[KERNEL]
        assert set(variables.variables) == set(arrays()[0])
    expected = arrays()[0][KERNEL]
    assert np.count_nonzero(seen != expected) == 1
    assert (seen - expected).max() == np.spacing(expected.flat[8])


@pytest.mark.parametrize("artifact", [CHECKPOINT, SERVED])
def test_one_ulp_is_one_ulp_in_a_bundle_whose_checksums_hold(artifact: Artifact, original: Original) -> None:
    copy = copied(original, artifact)
    named("one weight by one ULP").apply(copy)
    seen, expected = Tensors(copy)[f"model/{KERNEL}/.ATTRIBUTES/VARIABLE_VALUE"], arrays()[0][KERNEL]
    assert np.count_nonzero(seen != expected) == 1
    assert (seen - expected).max() == np.spacing(expected.flat[8])
    (inspected,) = inspect([copy.path])
    assert "crc" not in [finding.code for finding in inspected.findings]


def test_a_bundle_that_is_given_the_values_that_it_has_stays_as_it_is(original: Original) -> None:
    copy = copied(original, CHECKPOINT)
    before = content(copy)
    with held(copy) as variables:
        variables[KERNEL] = variables[KERNEL]
    assert content(copy) == before


def test_of_a_bundle_only_values_are_changed(original: Original) -> None:
    with pytest.raises(DoesNotApplyError, match="the values are changed, and not what it holds"):
        named("a variable is missing").apply(copied(original, CHECKPOINT))


def test_the_loss_of_a_slot_leaves_the_others(original: Original) -> None:
    copy = copied(original)
    named("one slot is missing").apply(copy)
    with held(copy) as variables:
        assert len(variables.variables) == len(arrays()[0]) - 1


def test_weights_of_another_moment_are_those_after_the_recorded_steps(original: Original) -> None:
    copy = copied(original)
    named("of another moment").apply(copy)
    with held(copy) as variables:
        assert np.array_equal(variables[KERNEL], arrays()[0][KERNEL] * 2)


def test_how_an_archive_is_packed_is_not_its_content(original: Original) -> None:
    copy = copied(original)
    was = content(copy)
    named("packed again").apply(copy)
    assert content(copy) == was
    config = json.loads(members(copy)["config.json"])
    write_members(copy, members(copy) | {"config.json": json.dumps(config, indent=7).encode()})
    assert content(copy) == was
    write_members(copy, members(copy) | {"config.json": json.dumps(config | {"more": 1}).encode()})
    assert content(copy) != was


def test_a_copy_shares_storage_and_a_change_of_it_does_not_reach_the_original(original: Original) -> None:
    copy = copied(original)
    linked = (copy.version / KERAS.path).stat().st_ino == (original.version / KERAS.path).stat().st_ino
    assert linked or (copy.version / KERAS.path).stat().st_nlink == 1  # a file system with reflinks gives a new inode
    copy.write(copy.path, b"other")
    assert (original.version / KERAS.path).read_bytes() != b"other"


def test_a_copy_for_a_loader_of_ones_own_shares_nothing_that_the_loader_could_write_to(original: Original) -> None:
    own = Artifact(format=FormatName.OWN, path=".", capability=KERAS.capability)
    copy = copied(original, own)
    assert all(path.stat().st_nlink == 1 for path in copy.files)
    assert len(copy.files) == len(original.saved.files)


def test_a_damage_in_a_temporary_directory_is_gone_with_its_copy(original: Original) -> None:
    copy = copied(original)
    named("a link to a temporary directory").apply(copy)
    copy.seal()
    there = copy.version.resolve()
    assert copy.version.is_symlink()
    assert (there / "evidence/evidence.json").is_file()
    copy.remove()
    assert not there.exists()
    assert not copy.version.is_symlink()


class Prepared:
    """What `Preparing` makes of a version."""

    def __init__(self, original: Original, sample: int | None = None) -> None:
        self.told: list[Trial] = []
        place = original.version.parent
        folder = original.version.parents[2] / uuid.uuid4().hex
        folder.mkdir()
        preparing = Preparing({place: folder}, DAMAGES, self.told, sample)
        self.all = [prepared for batch in preparing.batches([original]) for prepared in batch]
        self.damaged = [prepared for prepared in self.all if prepared.damage]


def test_a_sample_takes_the_areas_in_turns(original: Original) -> None:
    prepared = Prepared(original, sample=9)
    assert len(prepared.damaged) == 9
    assert {p.damage.area for p in prepared.damaged if p.damage} == set(Area) - {Area.PIPELINE}
    undamaged = {p.copy.artifacts for p in prepared.all if not p.damage}
    assert undamaged == {p.copy.artifacts for p in prepared.damaged}


def test_manifest_and_record_match_what_the_save_itself_could_have_done_and_only_that(tmp_path: Path) -> None:
    prepared = Prepared(made(tmp_path, KERAS))
    for one in prepared.damaged:
        assert one.damage
        assert one.record
        files = {file.path: file.sha256 for file in one.record.files}
        now = {name: digest for name, digest in digests(one.copy.version).items() if not name.startswith("evidence/")}
        assert (files == now) or not one.damage.matched
        if one.damage.area not in ELSEWHERE:
            assert one.record.files != one.copy.recorded
        one.copy.remove()
    assert {trial.outcome for trial in prepared.told} == {Outcome.NOT_APPLICABLE, Outcome.EQUIVALENT}
    assert all("cannot be read" not in trial.reason for trial in prepared.told)
    assert {trial.damage for trial in prepared.told if trial.outcome is Outcome.EQUIVALENT} >= {"packed again"}


def test_an_artifact_that_is_none_ends_no_drill(tmp_path: Path) -> None:
    original = made(tmp_path, KERAS)
    (original.version / KERAS.path).write_bytes(b"no archive")
    told = Prepared(original, sample=1).told
    assert any("cannot be read as what they are called" in trial.reason for trial in told)


def test_permissions_are_those_of_the_copy_alone(original: Original) -> None:
    copy = copied(original)
    named("open to every user").apply(copy)
    assert copy.version.stat().st_mode & 0o002
    assert not original.version.stat().st_mode & 0o002 or os.name != "posix"


def test_a_slot_is_damaged_wherever_the_file_holds_it(original: Original) -> None:
    copy = copied(original)
    named("all slots are zeroed").apply(copy)
    with held(copy) as variables:
        slots = [key for key, one in variables.variables.items() if "inner_optimizer" in key or one.path.startswith("adam/")]
        assert len(slots) == 24
        assert all(not variables[key].any() for key in slots)
    copy = copied(original)
    named("one place of a slot that is stored twice").apply(copy)
    with held(copy) as variables:
        now = {key: variables[key] for key in variables.variables}
    assert sum(not np.array_equal(value, now[key]) for key, value in arrays()[0].items()) == 1


@pytest.mark.parametrize("form", [keras_archive, keras_directory, weights])
def test_what_a_file_holds_is_told_by_the_digests_of_the_evidence(form: Any, original: Original) -> None:
    stored = form.stored_variables(original.version / form.FILE)
    assert stored == {v.key: v.value.sha256 for v in (*original.saved.observation.variables, *original.saved.observation.assets)}
