"""Policy: a setting that is impossible or mistyped is an error that says what was meant, and never a default."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from reloadgate.errors import UsageError
from reloadgate.policy import Location, Policy, RandomState, Relative, Tolerances, policy_from, read_yaml

DTYPES = tuple(Relative.__dataclass_fields__)
HERE = ["noise_cap", *(f"tolerances.{name}" for name in Tolerances.__dataclass_fields__)]
ELSEWHERE = [f"other_environment.{group}.{dtype}" for group in ("predictions", "resume") for dtype in DTYPES]


def yaml(tmp_path: Path, text: str) -> dict[str, Any]:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return read_yaml(tmp_path / "params.yaml")


def value(policy: Policy, setting: str) -> Any:
    found: Any = policy
    for name in setting.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("settings", [None, {}])
def test_without_settings_the_policy_is_the_default(settings: dict[str, Any] | None) -> None:
    assert policy_from(settings) == Policy()
    assert policy_from({"tolerances": {}}) == Policy()


def test_the_default_wants_the_same_bits_and_a_persistent_place() -> None:
    policy = Policy()
    assert set(dataclasses.asdict(policy.tolerances).values()) == {0.0}
    assert (policy.flips, policy.location, policy.random_state) == (0, Location.PERSISTENT, RandomState.VERSION)


@pytest.mark.parametrize("text", ["0", "1", "0.25", "1e-5", "1E-5", "1.0e-5", "+1e-5", ".5"])
def test_every_tolerance_can_be_set_over_the_file(text: str) -> None:
    for setting in HERE:
        found = value(policy_from({"flips": 3}, [f"{setting}={text}"]), setting)
        assert (found, type(found)) == (float(text), float), setting


def test_every_tolerance_elsewhere_can_be_set_alone() -> None:
    for setting in ELSEWHERE:
        changed = policy_from({}, [f"{setting}=0.25"])
        assert {one for one in ELSEWHERE if value(changed, one) != value(Policy(), one)} == {setting}


@pytest.mark.parametrize(
    "text", ["-1", "-1e-9", ".nan", ".inf", "-.inf", "nan", "inf", "true", "'0'", "1,5", "null", "", "[1]", "{a: 1}", "1e999"]
)
def test_a_tolerance_that_is_no_finite_number_of_0_or_more_is_refused_by_name(text: str) -> None:
    for setting in (*HERE, *ELSEWHERE):
        section, _, last = setting.rpartition(".")
        others = [f"{section}.{dtype}=1e-3" for dtype in DTYPES] if setting in ELSEWHERE else []
        with pytest.raises(UsageError, match="policy: ") as refused:
            policy_from({}, [*others, f"{setting}={text}"])
        assert section in str(refused.value)
        assert last in str(refused.value)


@pytest.mark.parametrize("text", ["-1", "1.5", "1.0", "true", "one", ".nan"])
def test_flips_are_a_whole_number_of_0_or_more(text: str) -> None:
    with pytest.raises(UsageError, match="flips"):
        policy_from({}, [f"flips={text}"])
    assert policy_from({}, ["flips=7"]).flips == 7


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"tolerance": {}}, "there is no setting tolerance; did you mean tolerances?"),
        ({"randomstate": "version"}, "there is no setting randomstate; did you mean random_state?"),
        ({"tolerances": {"weigths": 0}}, "there is no setting tolerances.weigths; did you mean weights?"),
        ({"tolerances": {"prediction": 0}}, "tolerances.prediction; did you mean predictions?"),
        ({"other_environment": {"prediction": {}}}, "other_environment.prediction; did you mean predictions?"),
        (
            {"other_environment": {"resume": {"float64": 0, "float32": 0, "float16": 0, "bfloat16": 0, "float31": 0}}},
            "other_environment.resume.float31; did you mean float32?",
        ),
        ({"zzz": 1}, "there is no setting zzz; it knows requires, random_state"),
        ({"tolerances": {"zzz": 1}}, "it knows weights, assets"),
        ({1: 2}, "there is no setting 1"),
        ({"random_state": "verison"}, "random_state: "),
        ({"location": "anywhere"}, "location: "),
        ({"tolerances": 0}, "tolerances: "),
        ({"tolerances": None}, "tolerances: "),
        ({"tolerances": []}, "tolerances: "),
        ({"tolerances": {"weights": float("nan")}}, "tolerances.weights: "),
        ({"noise_cap": float("inf")}, "noise_cap: "),
        ({"noise_cap": -1}, "noise_cap is -1"),
    ],
)
def test_a_setting_that_is_mistyped_says_which_and_what_was_meant(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=r"^policy: ") as refused:
        policy_from(settings)
    assert complaint in str(refused.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        policy_from({"tolerance": {}, "flips": "many"})
    assert "tolerances?" in str(refused.value)
    assert "flips" in str(refused.value)


def test_an_override_outweighs_the_file_and_leaves_it_alone() -> None:
    settings = {"tolerances": {"weights": 0.5, "resume": 0.25}}
    policy = policy_from(settings, ["tolerances.weights=1e-3", "random_state=ignored", "location=any"])
    assert (policy.tolerances.weights, policy.tolerances.resume) == (1e-3, 0.25)
    assert (policy.random_state, policy.location) == (RandomState.IGNORED, Location.ANY)
    assert settings == {"tolerances": {"weights": 0.5, "resume": 0.25}}


def test_the_last_of_two_overrides_counts() -> None:
    assert policy_from({}, ["flips=1", "flips=2"]).flips == 2


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("flips", "KEY=VALUE"),
        ("=1", "KEY=VALUE"),
        ("", "KEY=VALUE"),
        ("flips.more=1", "flips"),
        ("tolerances.weights.more=1", "tolerances"),
        ("tolerances=1", "tolerances"),
        ("tolerence.weights=1", "did you mean tolerances?"),
        ("tolerances.wieghts=1", "did you mean weights?"),
        (".=1", "policy"),
        ("flips=[", "flips"),
        ("flips=%", "flips"),
    ],
)
def test_an_override_that_sets_nothing_is_refused(override: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint.replace("?", r"\?")):
        policy_from({"flips": 1}, [override])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-5", 1e-5),
        ("1E+5", 1e5),
        ("-1e5", -1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("12", 12),
        ("-3", -3),
        ("1.5e3", 1500.0),
        ("0x10", 16),
    ],
)
def test_yaml_numbers_are_numbers(tmp_path: Path, text: str, number: float) -> None:
    found = yaml(tmp_path, f"a: {text}")["a"]
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "value"), [("010", 10), ("0o10", 8), ("0x1F", 31), ("2024_11", 202411), ("true", True), ("08", 8)]
)
def test_yaml_is_read_as_dvc_reads_it(tmp_path: Path, text: str, value: object) -> None:
    found = yaml(tmp_path, f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the key 'policy' stands twice"):
        yaml(tmp_path, "policy: {pushed: true}\nmodels: {}\npolicy: {flips: 0}")


@pytest.mark.parametrize("text", ["no", "On", "12:30:00", "1.0.0", "1e", "e5", "1-5", "v1", "2024-11", "'1e-5'"])
def test_yaml_text_that_looks_like_a_number_is_text(tmp_path: Path, text: str) -> None:
    assert yaml(tmp_path, f"a: {text}")["a"] == text.strip("'")


@pytest.mark.parametrize("content", [None, b"", b"[]", b"a", b"a: [", b"\xff", b"a: !!python/object:os.system {}", b"\x00"])
def test_what_is_no_yaml_mapping_is_refused_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"params\.yaml") as refused:
        read_yaml(path)
    assert "\n" not in str(refused.value)


def test_the_policy_of_this_repository_is_the_default() -> None:
    params = read_yaml(Path(__file__).parents[1] / "params.yaml")
    assert policy_from(params["policy"]) == Policy()
