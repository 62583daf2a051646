"""`release`: a tag of GTO's on a version that passed: these bytes, as the commit has them, with their evidence and verdict."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reloadgate.errors import RefusedError, UsageError
from reloadgate.extras import need
from reloadgate.files import md5_files, project_root
from reloadgate.gate import Gated, gate
from reloadgate.nouns import noun
from reloadgate.policy import Policy
from reloadgate.project import EVIDENCE, PARAMS, RECORDS, REPORTS, Subject, VersionRecord
from reloadgate.report import VERDICT
from reloadgate.revisions import Versions, git, holds
from reloadgate.text import one_line
from reloadgate.verdict import Status

REVISION = "HEAD"


@noun
class Released:
    """What became of a release: the gate's answer, and the tag; "" where the gate is closed."""

    gated: Gated
    tag: str


def release(name: str, subjects: Sequence[Subject], records: dict[str, VersionRecord], policy: Policy) -> Released:
    """Register the version of a model that `params.yaml` names with GTO, where the gate is open for it.

    Raises:
        UsageError: there is no such model, this is no git repository, or GTO is not installed.
        RefusedError: the commit does not hold what was judged, or GTO does not take the name, the version or the commit.
    """
    need("registry", "`reloadgate release`")
    subject = next((one for one in subjects if one.name == name), None)
    if subject is None:
        raise UsageError(f"params.yaml names no model {name!r}; it names {', '.join(one.name for one in subjects)}")
    repository = project_root(Path.cwd())
    if repository is None or not (repository / ".git").exists():
        raise UsageError(f"a release is a tag, and {Path.cwd()} is in no git repository")
    gated = gate(subjects, records, EVIDENCE, REPORTS / VERDICT, policy, only=name)
    if gated.verdict.status is not Status.PASS:
        return Released(gated=gated, tag="")
    if problems := [*_uncommitted(subject), *_other_bytes(repository, subject)]:
        raise RefusedError(f"{name} is not released: " + "; ".join(problems))
    return Released(gated=gated, tag=_tag(repository, subject))


def _uncommitted(subject: Subject) -> Iterator[str]:
    """What was judged and the commit does not hold, or holds otherwise."""
    record, verdict = RECORDS / f"{subject.name}.json", REPORTS / VERDICT
    for path in (record, verdict, PARAMS):
        if not holds(Path(), REVISION, path.as_posix()):
            yield f"{path} is in no commit: `git add {path}` and commit it"
    judged = [str(path) for path in (record, verdict, PARAMS, subject.path)]
    changed = git(Path(), "diff", "--name-only", "--relative", REVISION, "--", *judged).decode().split()
    if changed:
        yield f"{', '.join(changed)}: not as {REVISION} has it; commit it first"


def _other_bytes(repository: Path, subject: Subject) -> Iterator[str]:
    """Why the files that lie there are not those that git or DVC track in the commit."""
    version = subject.directory.absolute()
    tracked = Versions(repository, REVISION).files(version.relative_to(repository).as_posix())
    if not tracked:
        yield f"neither git nor DVC has {subject.path} at {REVISION}: run `dvc repro`, and commit dvc.lock"
        return
    # What git holds itself (None) was compared by git.
    now = md5_files(version)
    others = [path for path in sorted({*now, *tracked}) if path not in tracked or tracked[path] not in (None, now.get(path))]
    if others:
        yield (
            f"{subject.path}/{others[0]} is not the file that {REVISION} tracks ({len(others)} in all): "
            "run `dvc repro` and commit dvc.lock, or `dvc checkout --force`"
        )


def _tag(repository: Path, subject: Subject) -> str:
    """The tag `<name>@v<version>` on the commit."""
    from gto.exceptions import GTOException
    from gto.registry import GitRegistry
    from scmrepo.exceptions import SCMError

    version = f"v{subject.directory.name.removeprefix('v')}"
    try:
        with GitRegistry.from_url(str(repository)) as registry:
            return str(registry.register(subject.name, REVISION, version=version, simple=True).tag)
    except (GTOException, SCMError) as error:
        raise RefusedError(f"GTO does not register {subject.name} {version}: {one_line(error)}") from None
