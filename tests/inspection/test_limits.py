from pathlib import Path

import pytest

from reloadgate.errors import UsageError
from reloadgate.inspection import Limits
from reloadgate.project import limits_above
from reloadgate.settings import strictly


def test_what_is_not_set_is_the_default() -> None:
    assert strictly(Limits, {}, "inspect") == Limits()
    assert strictly(Limits, {"layers": 5000}, "inspect") == Limits(layers=5000)
    assert strictly(Limits, {"operations": ["AcmeMoments"]}, "inspect") == Limits(operations=("AcmeMoments",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 1}, "did you mean layers?"),
        ({"zzz": 1}, "it knows file, members"),
        ({"layers": 0}, "inspect: layers is 0, and a limit is above 0"),
        ({"layers": "5"}, "inspect: layers: .* valid integer"),
        ({"layers": True}, "inspect: layers: .* valid integer"),
        ({"layers": 1.5}, "inspect: layers: .* valid integer"),
        ({"operations": "AcmeMoments"}, "inspect: operations: .* valid array"),
        ({"operations": [1]}, "inspect: operations.0: .* valid string"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        strictly(Limits, settings, "inspect")


def test_limits_are_above_zero() -> None:
    with pytest.raises(ValueError, match="layers is -1"):
        Limits(layers=-1)


@pytest.mark.parametrize("repository", [True, False])
def test_the_nearest_settings_above_a_version_count_and_none_within_it(tmp_path: Path, repository: bool) -> None:
    version = tmp_path / "sub/models/m/1"
    version.mkdir(parents=True)
    if repository:
        (tmp_path / ".git").mkdir()
    for folder, layers in ((tmp_path, 1), (tmp_path / "sub", 2), (version, 3)):
        (folder / "params.yaml").write_text(f"inspect: {{layers: {layers}}}\n")
    assert limits_above(version).layers == 2
