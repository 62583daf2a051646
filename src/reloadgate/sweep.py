"""`verify --rev`: the model versions of other revisions, as a checkout would have them, in today's environment."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from reloadgate.comparison import Comparison, ModelComparison, Outcome
from reloadgate.engine import EngineSettings
from reloadgate.errors import ReloadgateError, UnreadableRecordError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, Group, read_saved
from reloadgate.files import project_root, remove_abandoned, scratch
from reloadgate.inspection import Limits
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.policy import Policy, read_yaml
from reloadgate.progress import Watch
from reloadgate.project import PARAMS, PLACE, Subject, declared
from reloadgate.reload import ANY_ARTIFACT
from reloadgate.remote import remote_row
from reloadgate.revisions import Versions, check_out, code, commit
from reloadgate.rows import row_of
from reloadgate.verdict import Verdict
from reloadgate.verifying import verify_all


def sweep(
    revisions: Iterable[str],
    names: Sequence[str],
    policy: Policy,
    settings: EngineSettings,
    watch: Watch,
    inspecting: Limits = ANY_ARTIFACT,
) -> tuple[Comparison, Verdict]:
    """Verify the model versions that `params.yaml` names in every revision; each distinct one once.

    Args:
        names: the models to verify; default: all.
        inspecting: what the artifacts may be.

    Raises:
        UsageError: this is no git repository, a revision is unknown, or none of them has a model.
    """
    repository = project_root(Path.cwd())
    if repository is None:
        raise UsageError("other revisions are read from git, and this folder is in no repository")
    place = repository / PLACE
    place.mkdir(parents=True, exist_ok=True)
    remove_abandoned(place)
    with scratch("sweep", place) as folder:
        found = _Found(repository, folder, set(names))
        for revision in dict.fromkeys(revisions):
            found.look_in(revision)
        if not found.subjects and not found.lost:
            raise UsageError("none of these revisions has a params.yaml in this folder that names such a model")
        # The remote is asked for what the revision tracks: the copies themselves are in none.
        unpushed = replace(policy, pushed=False)
        comparison, _ = verify_all(found.subjects, unpushed, settings=settings, inspecting=inspecting, watch=watch)
        models = [found.placed(model, policy) for model in comparison.models]
    comparison = Comparison(schema_version=SCHEMA_VERSION, models=(*models, *found.lost))
    return comparison, judge(comparison, policy)


class _Found:
    """The versions of the revisions that were looked into so far."""

    def __init__(self, repository: Path, folder: Path, names: set[str]) -> None:
        self._repository, self._folder, self._names = repository, folder, names
        self._place = Path.cwd().relative_to(repository)
        """The project that we are in, below the repository's root."""
        self._seen: set[tuple[str, ...]] = set()
        self._alone: dict[str, bool] = {}
        self.subjects: list[Subject] = []
        self._origins: dict[str, tuple[str, str]] = {}
        self.lost: list[ModelComparison] = []

    def look_in(self, revision: str) -> None:
        tree = self._folder / commit(self._repository, revision)
        if tree.exists():
            return  # another name of a commit that was looked into
        tree.mkdir()
        check_out(self._repository, revision, tree)
        try:
            subjects = declared(read_yaml(tree / self._place / PARAMS))
        except UsageError:  # from before the project had models
            return
        versions = Versions(self._repository, revision)
        for subject in subjects:
            if not self._names or subject.name in self._names:
                self._take(subject, revision, tree, versions)

    def _take(self, subject: Subject, revision: str, tree: Path, versions: Versions) -> None:
        name, path = f"{subject.name}@{_short(revision)}", (self._place / subject.path).as_posix()
        try:
            digest = versions.digest(path) or commit(self._repository, revision)
            if digest in self._alone and self._key(subject, digest, revision) in self._seen:
                return
            if not (tree / path).exists():
                versions.fetch(path, tree)
        except ReloadgateError as error:
            row = replace(row_of(Group.EVIDENCE, "version", Outcome.UNCHECKED, detail=str(error)), model=name)
            place = f"{subject.path} of {_short(revision)}"
            self.lost.append(ModelComparison(model=name, version=place, saved_sha256=None, artifacts=(), rows=(row,)))
            return
        self._alone[digest] = _reads_alone(tree / path)
        self._seen.add(self._key(subject, digest, revision))
        self.subjects.append(Subject(name=name, path=str(tree / path)))
        self._origins[name] = (subject.path, revision)

    def placed(self, model: ModelComparison, policy: Policy) -> ModelComparison:
        """What was compared of a copy, said of where it came from."""
        path, revision = self._origins[model.model]
        rows = model.rows
        if policy.pushed:
            rows += (replace(remote_row(Path(path), revision), model=model.model),)
        return replace(model, version=f"{path} of {_short(revision)}", rows=rows)

    def _key(self, subject: Subject, digest: str, revision: str) -> tuple[str, ...]:
        """What a reload of a version comes from: its bytes and the revision's code; all of it where that may read files."""
        needed = code(self._repository, revision) if self._alone[digest] else [commit(self._repository, revision)]
        return (subject.name, subject.path, digest, *needed)


def _reads_alone(version: Path) -> bool:
    """Whether nothing but class definitions of the user's takes part in the reload."""
    try:
        return read_saved(version / EVIDENCE_DIR)[0].recipe.only_defines
    except UnreadableRecordError:
        return False


def _short(revision: str) -> str:
    return revision[:10] if len(revision) == 40 else revision
