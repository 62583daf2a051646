"""Text of others: exceptions, warnings, logs and file names made fit for one line of a terminal or a report; names of Keras'."""

import re

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def one_line(text: object, limit: int = 1000) -> str:
    """The text on one line without terminal escapes, control and direction characters, and no longer than `limit`."""
    plain = _CONTROL.sub(" ", _ESCAPES.sub("", str(text)))
    line = " ".join(plain.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def error_line(error: BaseException, limit: int = 1000) -> str:
    """An exception as `Type: message`."""
    return one_line(f"{type(error).__name__}: {error}", limit)


def unnumbered(name: str) -> str:
    """A name of a log without the numbers that Keras gives names within a process: `dense_5_auc_2` as `dense_auc`."""
    return re.sub(r"_\d+(?=_|$)", "", name)


def snake_case(name: str) -> str:
    """A class as Keras names its layers, before it numbers them: `keras.src.utils.naming.to_snake_case`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
