"""What is not trained and decides predictions all the same: statistics, vocabularies, seeds."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from reloadgate.drill.contents import Held, configuration, held, members, write_members
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.configuring import layers_of
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.tensors import Values
from reloadgate.drill.trials import Area
from reloadgate.evidence import Kind, Variable

DAMAGES = damage = Declared(Area.STATE)

MEAN, VARIANCE = ("moving_mean", "mean"), ("moving_variance", "variance")


def _statistics(variables: Held, names: tuple[str, ...] = (*MEAN, *VARIANCE)) -> list[Variable]:
    """Of batch normalization and normalization, by the names that Keras gives them."""
    return variables.of(
        lambda v: v.kind is Kind.WEIGHT and not v.trainable and v.path.rsplit("/", 1)[-1] in names,
        "statistics of a normalization",
    )


def _change(change: Callable[[Values], Values], names: tuple[str, ...]) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            for variable in _statistics(variables, names):
                variables[variable.key] = change(variables[variable.key])

    return apply


damage("running means are reset", "weights are loaded into a model whose statistics nobody restored", "1.1")(
    _change(np.zeros_like, MEAN)
)
damage("running variances are reset", "weights are loaded into a model whose statistics nobody restored", "1.1")(
    _change(np.ones_like, VARIANCE)
)
damage("statistics of another batch", "replicas of a distribution strategy hold other statistics", "Keras: replicas")(
    _change(lambda values: (values * 1.001).astype(values.dtype), (*MEAN, *VARIANCE))
)


@damage("mean and variance are swapped", "statistics are restored by position", "2.2")
def _swapped(copy: Copy) -> None:
    with held(copy) as variables:
        mean = _statistics(variables, MEAN)[0]
        layer = mean.key.rsplit("/", 1)[0]
        other = next((v for v in _statistics(variables, VARIANCE) if v.key.rsplit("/", 1)[0] == layer), None)
        if other is None:
            raise DoesNotApplyError("its mean has no variance beside it")
        variables[mean.key], variables[other.key] = variables[other.key], variables[mean.key]


@damage("a count of samples is reset", "statistics that are adapted further weigh the old samples by it", "Keras: adapt")
def _count(copy: Copy) -> None:
    with held(copy) as variables:
        found = _statistics(variables, ("count",))
        variables[found[0].key] = np.zeros_like(variables[found[0].key])


# Vocabularies


def _vocabulary(copy: Copy) -> Iterator[tuple[str, list[str]]]:
    for name, content in members(copy).items():
        if name.startswith("assets/") and name.endswith(".txt"):
            yield name, content.decode("utf-8").splitlines()


def _on_vocabulary(change: Callable[[list[str]], list[str]]) -> Callable[[Copy], None]:
    """Change a vocabulary where it lies: in an asset file, or in a layer's configuration."""

    def apply(copy: Copy) -> None:
        for name, tokens in _vocabulary(copy):
            if len(tokens) > 3:
                write_members(copy, members(copy) | {name: "\n".join(change(tokens)).encode()})
                return
        with configuration(copy) as config:
            for layer in layers_of(config):
                tokens = layer["config"].get("vocabulary")
                if isinstance(tokens, list) and len(tokens) > 1:
                    layer["config"]["vocabulary"] = change(tokens)
                    return
        raise DoesNotApplyError("it has no vocabulary")

    return apply


damage("two tokens of a vocabulary are swapped", "a vocabulary is made again, and ties fall another way", "Keras: vocabularies")(
    _on_vocabulary(lambda tokens: [*tokens[:-2], tokens[-1], tokens[-2]])
)
damage("the last token of a vocabulary is lost", "a file loses its last line, or a limit cuts", "Keras: vocabularies")(
    _on_vocabulary(lambda tokens: tokens[:-1])
)
damage("a token of a vocabulary is another", "another normalization of text", "Keras: vocabularies")(
    _on_vocabulary(lambda tokens: [*tokens[:-1], f"{tokens[-1]}_"])
)


@damage("a vocabulary is missing", "weights alone carry no vocabulary", "Keras: vocabularies")
def _no_vocabulary(copy: Copy) -> None:
    name = next((name for name, _ in _vocabulary(copy)), None)
    if name is None:
        raise DoesNotApplyError("it has no file of a vocabulary")
    write_members(copy, {member: content for member, content in members(copy).items() if member != name})


# Settings of preprocessing and randomness


def _setting(name: str, change: Callable[[Any], Any], lacking: str) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with configuration(copy) as config:
            for layer in layers_of(config):
                if layer["config"].get(name) not in (None, []):
                    layer["config"][name] = change(layer["config"][name])
                    return
        raise DoesNotApplyError(f"it has no {lacking}")

    return apply


damage("bucket boundaries move", "a discretization is adapted again", "Keras: preprocessing")(
    _setting("bin_boundaries", lambda bounds: [bound + 1 for bound in bounds], "boundaries of buckets")
)
damage("a rescaling has another scale", "inputs are divided by 255 once too often", "Keras: preprocessing")(
    _setting("scale", lambda scale: scale / 255 if isinstance(scale, (int, float)) else not scale, "scale")
)
damage("a layer has another seed", "dropout goes on with other random numbers", "Keras: random state", resuming=True)(
    _setting("seed", lambda seed: seed + 1 if isinstance(seed, int) else 1, "seeded layer")
)
