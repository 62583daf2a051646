"""What happens to the values of one variable."""

from collections.abc import Callable
from typing import Any

import numpy as np

from reloadgate.drill.tensors import Values


def one(change: Callable[[Any], Any]) -> Callable[[Values], Values]:
    """Change the element in the middle alone."""

    def on_one(values: Values) -> Values:
        at = values.size // 2
        values.flat[at] = change(values.flat[at])
        return values

    return on_one


def drawn(values: Values) -> Values:
    """Fresh values of the same mean and spread: what another seed gives."""
    random = np.random.default_rng(values.size)
    drawn: Values = random.normal(values.mean(), values.std() or 0.05, values.shape).astype(values.dtype)
    return drawn


def rounded_to(dtype: str) -> Callable[[Values], Values]:
    def through(values: Values) -> Values:
        if dtype == "bfloat16":
            bits = values.astype(np.float32).view(np.uint32)
            kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
            return kept.astype(np.uint32).view(np.float32).astype(values.dtype)
        with np.errstate(over="ignore"):
            return values.astype(dtype).astype(values.dtype)

    return through


def scaled(by: float) -> Callable[[Values], Values]:
    return lambda values: (values * by).astype(values.dtype)


def quantized(values: Values) -> Values:
    step = np.abs(values).max(initial=0.0) / 127 or 1.0
    return (np.round(values / step) * step).astype(values.dtype)


def ulp(value: Any) -> Any:
    """The next number above."""
    return np.nextafter(value, np.inf, dtype=value.dtype)
