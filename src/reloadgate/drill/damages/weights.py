"""Weights that are not those that were trained."""

from collections.abc import Callable

import numpy as np

from reloadgate.drill.contents import held, is_trained, later, moved
from reloadgate.drill.copies import Copy
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.damages.values import drawn, one, quantized, rounded_to, scaled, ulp
from reloadgate.drill.tensors import Values
from reloadgate.drill.trials import Area

DAMAGES = damage = Declared(Area.WEIGHTS)

RELATIVE = ("1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1")
"""How far all values of a variable move: a loosened tolerance shows where the gate begins to notice."""


def _largest(change: Callable[[Values], Values]) -> Callable[[Copy], None]:
    """Change the largest trainable variable."""

    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            key = variables.trained()[0].key
            variables[key] = change(variables[key])

    return apply


def _every(change: Callable[[Values], Values]) -> Callable[[Copy], None]:
    """Change every trainable variable."""

    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            for variable in variables.trained():
                variables[variable.key] = change(variables[variable.key])

    return apply


damage("one weight by one ULP", "a value goes through text or another library's rounding", "2.2")(_largest(one(ulp)))
for _size in RELATIVE:
    damage(f"a variable by {_size}", "weights of a run that is nearly the same, or were converted on the way", "3")(
        _largest(scaled(1 + float(_size)))
    )
damage("one weight is NaN", "a step that overflowed just before the save", "Keras: nothing looks at values")(
    _largest(one(lambda value: np.nan))
)
damage("one weight is infinite", "a step that overflowed just before the save", "Keras: nothing looks at values")(
    _largest(one(lambda value: np.inf))
)
damage("one weight's sign is flipped", "one bit of memory or disk is another", "4.6")(_largest(one(lambda value: -value)))
damage("a variable is zeroed", "a variable that nobody filled comes back as zeros", "1.1")(_largest(np.zeros_like))
damage("one row is zeroed", "a page of the file was never written", "0.2")(
    _largest(lambda values: np.concatenate([np.zeros_like(values[:1]), values[1:]]))
)
damage("a variable is drawn anew", "a layer that is not tracked is initialised again by every load", "1.1")(_largest(drawn))
damage("all variables are drawn anew", "another seed, or a run that was never restored", "4.2")(_every(drawn))
damage("the values are shifted by one", "a list of arrays is read with another order or offset", "2.2")(
    _largest(lambda values: np.roll(values, 1))
)
damage("the rows are in reverse order", "features or a vocabulary in another order", "2.2")(_largest(lambda values: values[::-1]))
damage("cast to float16 and back", "weights were kept in half precision to save space", "2.2")(_every(rounded_to("float16")))
damage("cast to bfloat16 and back", "weights were kept in half precision to save space", "2.2")(_every(rounded_to("bfloat16")))
damage("quantized to 8 bits and back", "a quantized artifact takes the place of the trained one", "2.2")(_every(quantized))
damage("rounded to three decimals", "weights went through text", "2.2")(_every(lambda values: np.round(values, 3)))


@damage("a square variable is transposed", "a kernel from a library that multiplies from the other side", "2.2")
def _transposed(copy: Copy) -> None:
    with held(copy) as variables:
        square = variables.of(
            lambda v: is_trained(v) and len(v.value.shape) == 2 and v.value.shape[0] == v.value.shape[1] > 1,
            "square trainable variable",
        )[0].key
        variables[square] = variables[square].T


@damage("a variable is read in the other order of axes", "row order in place of column order", "2.2")
def _reordered(copy: Copy) -> None:
    with held(copy) as variables:
        found = variables.of(lambda v: is_trained(v) and len(v.value.shape) == 2 and min(v.value.shape) > 1, "trainable matrix")
        values = variables[found[0].key]
        variables[found[0].key] = values.T.reshape(values.shape)


@damage("two variables are swapped", "layers of one shape are made in another order", "3.2")
def _swapped(copy: Copy) -> None:
    with held(copy) as variables:
        variables.swap(variables.trained())


@damage("of another moment", "the file holds the weights of some steps before or after what was recorded", "3.1, 4.3")
def stale(copy: Copy) -> None:
    """The weights as they are after the recorded steps; the optimizer is that of before."""
    with held(copy) as variables:
        found = variables.of(
            lambda v: is_trained(v) and moved(v), "variable that the recorded steps moved and that is kept whole"
        )
        for variable in found:
            variables[variable.key] = later(copy, variable)


def _in_one_place(place: int) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            twice = variables.of(lambda v: is_trained(v) and variables.is_twice(v.key), "trainable variable that is stored twice")
            variables.put(twice[0].key, place, one(ulp)(variables[twice[0].key]))

    return apply


for _place, _said in enumerate(("first", "second")):
    damage(f"the {_said} of two places by one ULP", "of a SavedModel that Keras exports every variable is stored twice", "4.5")(
        _in_one_place(_place)
    )


@damage("a variable is missing", "a variable that the saver did not reach", "1.1")
def _missing(copy: Copy) -> None:
    with held(copy) as variables:
        del variables.file[variables.name(variables.trained()[0].key)]


@damage("a variable has another shape", "the architecture changed after the weights were saved", "1.6")
def _reshaped(copy: Copy) -> None:
    with held(copy) as variables:
        name = variables.name(variables.of(lambda v: is_trained(v) and v.value.shape != (), "trainable array")[0].key)
        values = np.asarray(variables.file[name])
        del variables.file[name]
        variables.file[name] = values[:-1]


@damage("a variable too many", "the file of a larger model is loaded into a smaller one", "3.1")
def _extra(copy: Copy) -> None:
    with held(copy) as variables:
        name = variables.name(variables.trained()[0].key)
        variables.file[f"{name}9"] = np.asarray(variables.file[name])
