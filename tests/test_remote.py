"""The policy `pushed`: trained and not pushed is a finding; what nobody looked at is none of the remote's."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders import Built, build, comparison
from reloadgate.compare import compare
from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import Group
from reloadgate.gate import Gated, gate
from reloadgate.judge import judge
from reloadgate.nouns import read_json, to_dict, write_json
from reloadgate.policy import Policy
from reloadgate.project import EVIDENCE, RECORDS, read_records
from reloadgate.remote import PUSHED, remote_row, with_remote
from reloadgate.report import VERDICT
from reloadgate.verdict import Status

# DVC's and moto's own dependencies use what will be gone.
pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]

ASKING = Policy(pushed=True)
STORE = Path("../store")
VERSION = Path("models/digits/1.0.0")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A version that DVC tracks, in a project whose remote is empty."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tracked(f"[core]\n    remote = store\n    no_scm = true\n['remote \"store\"']\n    url = ../{STORE}\n")


def tracked(config: str) -> Built:
    from dvc.repo import Repo

    Repo.init(no_scm=True).close()
    Path(".dvc/config").write_text(config)
    made = build(Path())
    made.record(RECORDS)
    with Repo() as repo:
        repo.add([str(VERSION)])
    return made


def push() -> None:
    from dvc.repo import Repo

    with Repo() as repo:
        repo.push()


def told() -> tuple[Outcome, str]:
    row = remote_row(VERSION)
    return row.outcome, row.detail or row.seen


@pytest.mark.usefixtures("built")
def test_what_was_not_pushed_is_missing_and_what_was_is_there() -> None:
    assert told() == (Outcome.MISSING, "trained, not pushed: the remote lacks 5 of 5 objects (evidence/arrays.npz)")
    push()
    assert told() == (Outcome.SAME, "5 objects are in the remote")


def lose_one_file() -> None:
    next(path for path in STORE.rglob("*") if path.is_file() and path.suffix != ".dir").unlink()


def lose_the_cache() -> None:
    shutil.rmtree(".dvc/cache")
    shutil.rmtree(STORE)


def never_push() -> None:
    path = Path("models/digits/1.0.0.dvc")
    path.write_text(path.read_text() + "  push: false\n")


CHANGES: dict[str, tuple[Callable[[], object], Outcome, str]] = {
    "a file is gone although the folder's list is there": (lose_one_file, Outcome.MISSING, "lacks 1 of 5"),
    "other bytes lie there": (
        lambda: (VERSION / "model.keras").write_bytes(b"others"),
        Outcome.CHANGED,
        "model.keras (1 in all)",
    ),
    "a FIFO more lies there": (lambda: os.mkfifo(VERSION / "more"), Outcome.CHANGED, "more (1 in all"),
    "a link that leads nowhere lies there": (lambda: (VERSION / "more").symlink_to("x"), Outcome.CHANGED, "more (1 in all"),
    "a file more lies there": (lambda: (VERSION / "more").touch(), Outcome.CHANGED, "more (1 in all"),
    "nothing tracks it": (Path("models/digits/1.0.0.dvc").unlink, Outcome.UNCHECKED, "DVC does not track"),
    "there is no remote": (lambda: Path(".dvc/config").write_text("[core]\nno_scm = true\n"), Outcome.UNCHECKED, "no remote"),
    "it is never pushed": (never_push, Outcome.UNCHECKED, "push: false"),
    "nobody has the list of its files": (lose_the_cache, Outcome.UNCHECKED, "no list of the files"),
}


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_whole_in_the_remote_is_never_the_same(what: str) -> None:
    push()
    change, outcome, said = CHANGES[what]
    change()
    found = told()
    assert found[0] is outcome, found
    assert said in found[1]


def test_the_policy_decides_whether_anybody_asks() -> None:
    bare = comparison()
    assert with_remote(bare, Policy()) is bare
    (finding,) = judge(bare, ASKING).of(Status.UNVERIFIED)
    assert (finding.row.group, finding.row.subject) == (Group.LOCATION, PUSHED), "nobody asked is no pass"
    assert "dvc remote add" in finding.remedy


def test_the_remotes_row_is_no_look_at_the_place() -> None:
    there = Row(model="digits", artifact="", group=Group.LOCATION, subject=PUSHED, outcome=Outcome.SAME)
    whole = comparison()
    (model,) = whole.models
    rows = tuple(row for row in model.rows if row.group is not Group.LOCATION)
    asked = replace(whole, models=(replace(model, rows=(*rows, there)),))
    assert "nothing of location was looked at" in judge(asked, ASKING).of(Status.UNVERIFIED)[0].message


def judged(built: Built) -> Status:
    """As the stage `judge` leaves it on file."""
    verdict = judge(with_remote(compare([built.subject], EVIDENCE, read_records()), ASKING), ASKING)
    write_json(Path("reports") / VERDICT, to_dict(verdict))
    return verdict.status


def gated(built: Built) -> Gated:
    return gate([built.subject], read_records(), EVIDENCE, Path("reports") / VERDICT, ASKING)


def test_after_a_push_the_gate_opens_and_the_verdict_on_file_is_out_of_date(built: Built) -> None:
    assert judged(built) is Status.FAIL
    assert (gated(built).verdict.status, gated(built).outdated) == (Status.FAIL, False)
    push()
    found = gated(built)
    assert (found.verdict.status, found.objections, found.outdated) == (Status.PASS, (), True)
    judged(built)
    assert not gated(built).outdated
    lose_one_file()
    found = gated(built)
    assert (found.verdict.status, found.objections, found.outdated) == (Status.FAIL, (), True)


def test_a_verdict_that_was_edited_is_not_out_of_date(built: Built) -> None:
    judged(built)
    push()
    path = Path("reports") / VERDICT
    write_json(path, read_json(path) | {"status": "PASS"})
    forged = gated(built)
    assert (forged.outdated, bool(forged.objections)) == (False, True)


BUCKET = "reloadgate"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server on loopback that holds an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "*")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
    yield address
    server.stop()


@pytest.mark.pipeline
def test_s3_is_asked_for_every_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: str) -> None:
    import boto3

    monkeypatch.chdir(tmp_path)
    remote = f"    url = s3://{BUCKET}/dvc\n    endpointurl = {s3}\n"
    tracked(f"[core]\n    remote = store\n    no_scm = true\n['remote \"store\"']\n{remote}")
    assert told()[0] is Outcome.MISSING
    push()
    assert told() == (Outcome.SAME, "5 objects are in the remote")
    client = boto3.client("s3", endpoint_url=s3)
    key = next(one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"] if not one["Key"].endswith(".dir"))
    client.delete_object(Bucket=BUCKET, Key=key)
    assert told()[0] is Outcome.MISSING
    assert "the remote lacks 1 of 5 objects" in told()[1]
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    Path(".dvc/config").write_text(Path(".dvc/config").read_text().replace(s3, "http://127.0.0.1:9"))
    assert told()[0] is Outcome.UNCHECKED
