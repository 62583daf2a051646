"""The published schemas say what is written, to the letter."""

import json
from pathlib import Path

import jsonschema
import pytest

from builders import build, comparison, row
from conftest import ROOT
from reloadgate import report, schemas
from reloadgate.comparison import Outcome
from reloadgate.evidence import Group
from reloadgate.judge import judge
from reloadgate.nouns import read_json, to_dict
from reloadgate.policy import Policy


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


@pytest.mark.parametrize("change", [{"status": "GOOD"}, {"models": 1}, {"signed": True}])
def test_what_is_no_verdict_is_not_valid(change: dict[str, object]) -> None:
    verdict = to_dict(judge(comparison(), Policy()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(verdict | change, schemas.schema("verdict"))
