"""Policy: what is good enough. Read from the section `policy` of `params.yaml`; frozen."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from reloadgate.errors import UsageError
from reloadgate.evidence import Capability
from reloadgate.files import read_regular
from reloadgate.nouns import noun, to_dict
from reloadgate.settings import strictly
from reloadgate.text import one_line


class RandomState(StrEnum):
    """Where the state of seed generators must be kept."""

    ARTIFACT = "artifact"
    VERSION = "version"
    IGNORED = "ignored"


class Location(StrEnum):
    PERSISTENT = "persistent"
    ANY = "any"


class Containment(StrEnum):
    """What follows where the platform cannot keep a reloading process from the network."""

    REQUIRED = "required"
    NOTED = "noted"


class OwnLoader(StrEnum):
    """What follows where inspection would refuse a file that the user's own loader reads."""

    STRICT = "strict"
    NOTED = "noted"


def _refuse_impossible(settings: Any) -> None:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{field.name} is {value}, and a tolerance is a finite number, 0 or more")


@noun
class Tolerances:
    """Largest absolute difference that passes in the environment in which the model was saved."""

    weights: float = 0.0
    assets: float = 0.0
    compile: float = 0.0
    optimizer: float = 0.0
    predictions: float = 0.0
    resume: float = 0.0

    def __post_init__(self) -> None:
        _refuse_impossible(self)


@noun
class Relative:
    """Largest difference that passes, relative to the largest magnitude of what was recorded, by dtype."""

    float64: float
    float32: float
    float16: float
    bfloat16: float

    def __post_init__(self) -> None:
        _refuse_impossible(self)


@noun
class OtherEnvironment:
    """Tolerances of what is computed, where the reloading environment is another. What is read has none."""

    predictions: Relative = Relative(float64=1e-9, float32=1e-5, float16=1e-2, bfloat16=1e-1)
    resume: Relative = Relative(float64=1e-7, float32=1e-3, float16=1e-1, bfloat16=1.5e-1)


@noun
class Requires:
    """What the artifacts of a version must be able to do, once loaded.

    `version`: at least one artifact; where that is `infer`, every format but `own` may do with it. A format by name: every
    artifact of it; None is the most that the format can do.
    """

    version: Capability = Capability.RESUME
    keras: Capability | None = None
    keras_directory: Capability | None = None
    weights: Capability | None = None
    checkpoint: Capability | None = None
    saved_model: Capability | None = None
    h5: Capability | None = None
    own: Capability | None = None


@noun
class Signed:
    """Who must have signed a version and its verdict: who has a key, or whoever certificates vouch for; files, PEM."""

    key: str | None = None
    """The public key."""
    certificates: tuple[str, ...] = ()
    """The chain, up to its root."""

    def __post_init__(self) -> None:
        if (self.key is None) == (not self.certificates):
            raise ValueError("signed names a key or certificates, one of them")


@noun
class Policy:
    requires: Requires = Requires()
    random_state: RandomState = RandomState.VERSION
    location: Location = Location.PERSISTENT
    containment: Containment = Containment.NOTED
    own_loader: OwnLoader = OwnLoader.NOTED
    pushed: bool = False
    """Whether DVC's remote must have every file of a version: then it is asked at every verdict."""
    suites: str = ""
    """A folder of Great Expectations suites of the user's own, one a table; "" for none."""
    signed: Signed | None = None
    """Whose signature the gate asks for; None for none."""
    tolerances: Tolerances = Tolerances()
    other_environment: OtherEnvironment = OtherEnvironment()
    noise_cap: float = 1e-6
    """Largest noise floor, relative to the signal, under which a comparison still says something."""
    flips: int = 0
    """Decisions on the probe that may change."""

    def __post_init__(self) -> None:
        _refuse_impossible(self)
        if self.flips < 0:
            raise ValueError(f"flips is {self.flips}, and a number of decisions is 0 or more")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2, as DVC reads it: `no` and `12:30` are text, `010` is ten, `1e-5` is a number; and no key stands twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: Any) -> int:
        text = self.construct_scalar(node).replace("_", "")
        return int(text, {"0b": 2, "0o": 8, "0x": 16}.get(text[:2], 10))


_BOOL, _INT, _FLOAT = ("tag:yaml.org,2002:" + name for name in ("bool", "int", "float"))
_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [pair for pair in pairs if pair[0] not in (_BOOL, _INT, _FLOAT)])
}
_Loader.add_constructor(_INT, _Loader.construct_integer)
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_INT, re.compile(r"^([-+]?\d[\d_]*|0b[01_]+|0o[0-7_]+|0x[\da-fA-F_]+)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"),
    list("-+0123456789."),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        UsageError: the file is missing or is no YAML mapping.
    """
    try:
        data = yaml.load(read_regular(path).decode(), Loader=_Loader)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing: run this in the folder that holds it, or name the paths to verify") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        told = one_line(error).replace('in "<unicode string>", ', "at ")  # what YAML calls the file, which is named already
        raise UsageError(f"{path} cannot be read as YAML: {told}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path} is no YAML mapping")
    return data


def policy_from(settings: Mapping[str, Any] | None, overrides: Iterable[str] = ()) -> Policy:
    """The policy of a mapping, with `KEY=VALUE` overrides (dotted keys, values as in YAML) on top.

    Raises:
        UsageError: an unknown key (with a "did you mean"), or a value that is impossible.
    """
    merged: dict[str, Any] = _over(to_dict(Policy()), _deep_copy(settings or {}))
    for override in overrides:
        _override(merged, override)
    return strictly(Policy, merged, "policy")


def _over(defaults: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The defaults with settings over them, section by section: one dtype may be set alone."""
    both = {key: _over(value, settings[key]) if _sections(value, settings.get(key)) else value for key, value in defaults.items()}
    return both | {key: value for key, value in settings.items() if not _sections(defaults.get(key), value)}


def _sections(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _deep_copy(value: Any) -> Any:
    return {str(key): _deep_copy(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--policy takes KEY=VALUE, not {override!r}")
    *parents, last = key.strip().split(".")
    for parent in parents:
        if settings.get(parent) is None:  # a section that is left out by default
            settings[parent] = {}
        below = settings[parent]
        if not isinstance(below, dict):
            raise UsageError(f"--policy {override}: {parent} is not a section of the policy")
        settings = below
    try:
        settings[last] = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"--policy {override}: the value is no YAML: {one_line(error)}") from None
