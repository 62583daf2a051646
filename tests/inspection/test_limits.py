import pytest

from reloadgate.errors import UsageError
from reloadgate.inspection import Limits
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
