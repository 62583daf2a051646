import pytest

from reloadgate.errors import UsageError
from reloadgate.inspection import Limits, limits_from


def test_what_is_not_set_is_the_default() -> None:
    assert limits_from(None) == limits_from({}) == Limits()
    assert limits_from({"layers": 5000}) == Limits(layers=5000)
    assert limits_from({"operations": ["AcmeMoments"]}) == Limits(operations=("AcmeMoments",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 1}, "did you mean layers?"),
        ({"zzz": 1}, "it knows file, members"),
        ({"layers": 0}, "a whole number above 0"),
        ({"layers": "5"}, "a whole number above 0"),
        ({"layers": True}, "a whole number above 0"),
        ({"layers": 1.5}, "a whole number above 0"),
        ({"operations": "AcmeMoments"}, "a list of names"),
        ({"operations": [1]}, "a list of names"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        limits_from(settings)


def test_limits_are_above_zero() -> None:
    with pytest.raises(ValueError, match="layers is -1"):
        Limits(layers=-1)
