"""The published schemas say what is written, to the letter."""

import json
from pathlib import Path

import jsonschema
import pytest

from builders import build, comparison, row
from conftest import ROOT
from reloadgate import report, schemas
from reloadgate.comparison import Outcome
from reloadgate.drill.damages import DAMAGES
from reloadgate.drill.outcomes import told_trial
from reloadgate.drill.trials import Drill
from reloadgate.drill.trials import Outcome as DrillOutcome
from reloadgate.evidence import Group
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION, read_json, to_dict
from reloadgate.policy import Policy
from reloadgate.verdict import Status


@pytest.mark.parametrize("name", schemas.PUBLISHED)
def test_what_is_published_is_what_the_nouns_say(name: str) -> None:
    published = read_json(ROOT / "docs/schemas" / f"{name}.schema.json")
    assert published == json.loads(json.dumps(schemas.schema(name))), "run `make schemas`"


def test_every_file_that_a_run_leaves_is_valid(tmp_path: Path) -> None:
    compared = comparison(row(Group.PREDICTIONS, Outcome.DIFFERS), row(Group.RESUME, Outcome.UNCHECKED))
    report.publish(tmp_path, judge(compared, Policy()), compared)
    build(tmp_path).record(tmp_path / "records")
    jsonschema.validate(read_json(tmp_path / report.VERDICT), schemas.schema("verdict"))
    jsonschema.validate(to_dict(compared), schemas.schema("comparison"))
    jsonschema.validate(read_json(tmp_path / "records/digits.json"), schemas.schema("version"))
    report.begin(tmp_path, "a test")
    jsonschema.validate(read_json(tmp_path / report.VERDICT), schemas.schema("verdict"))


def test_what_a_drill_says_is_valid() -> None:
    trial = told_trial("digits", (), DAMAGES[0], DrillOutcome.SURVIVED, "why", advice=("tighter",))
    told = Drill(
        schema_version=SCHEMA_VERSION, status=Status.PASS, reason="", policy=Policy(), min_score=None, thorough=False,
            trials=(trial,), unfit={},
        seconds=1.0,
    )  # fmt: skip
    jsonschema.validate(to_dict(told), schemas.schema("drill"))


@pytest.mark.parametrize("change", [{"status": "GOOD"}, {"models": 1}, {"signed": True}])
def test_what_is_no_verdict_is_not_valid(change: dict[str, object]) -> None:
    verdict = to_dict(judge(comparison(), Policy()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(verdict | change, schemas.schema("verdict"))
