"""NumPy's `.npy` and `.npz`: a header that declares exactly the bytes that follow, and no objects."""

import ast
import math
import re
import struct
from typing import Any

import numpy as np

from reloadgate.inspection.archive import members_of
from reloadgate.inspection.found import RefusedError, Report, Variable
from reloadgate.inspection.hdf5 import is_finite
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.reading import BLOCK, Source

MAGIC = b"\x93NUMPY"
ZEROS = 256 << 20
"""Bytes up to which an array may be packed tightly: one of zeros is, a thousandfold."""
# Version 1.0 of `numpy.lib.format`, as NumPy writes it; a structured dtype is no array of a model. A size ends where its comma
# is: were that left open, a long run of digits could be read in more ways than there is time for.
SIZE = r"(?:0|[1-9]\d{0,17})"
HEADER = re.compile(
    r"\{'descr': '([<>|=][biufcSUV]\d{1,6}|[<>][mM]8\[\w{1,6}\]|\|O|[<>|=]?O\d?)', "
    rf"'fortran_order': (True|False), 'shape': (\((?:{SIZE},(?: ?{SIZE},)*(?: ?{SIZE})?)?\)), \}} *\n?"
)


def inspect_npy(source: Source, limits: Limits, report: Report, name: str = "array") -> None:
    report.kind = "array" if report.kind == "unknown" else report.kind
    if not source.size:
        raise RefusedError("empty", source.name, "it has no bytes")
    head = source.read(0, 12)
    if head[:6] != MAGIC or len(head) < 12 or head[6] not in (1, 2, 3):
        raise RefusedError("array", source.name, "no NumPy array starts at its first byte")
    start, length = (10, struct.unpack("<H", head[8:10])[0]) if head[6] == 1 else (12, struct.unpack("<I", head[8:12])[0])
    if length > limits.metadata:
        raise RefusedError("too-large", source.name, f"a header of {length} bytes; the limit is {limits.metadata}")
    match = HEADER.fullmatch(source.read(start, length).decode("latin-1"))
    if not match:
        raise RefusedError("array", source.name, "a header that NumPy does not write for a plain array")
    if "O" in match[1]:
        raise RefusedError("pickle", source.name, "an array of Python objects, which is a pickle")
    shape: tuple[int, ...] = ast.literal_eval(match[3])
    try:
        dtype = np.dtype(match[1])
    except TypeError:
        raise RefusedError("array", source.name, f"{match[1]!r} is no dtype") from None
    declared, stored = math.prod(shape) * dtype.itemsize, source.size - start - length
    if len(shape) > 64 or declared != stored:
        code = "truncated" if stored < declared < 1000 * max(stored, 1) else "declared-size"
        raise RefusedError(code, source.name, f"it declares {declared} bytes, and {stored} follow")
    report.variables.append(Variable(path=name, shape=shape, dtype=str(dtype)))
    _check_finite(source, start + length, dtype, report)


def _check_finite(source: Source, start: int, dtype: Any, report: Report) -> None:
    if dtype.kind not in "fc":
        return
    step = BLOCK - BLOCK % dtype.itemsize
    for offset in range(start, source.size, step):
        if not is_finite(np.frombuffer(source.read(offset, step), dtype), ""):
            report.note("nonfinite", source.name, "it holds NaN or an infinity")
            return


def inspect_npz(source: Source, limits: Limits, report: Report) -> None:
    report.kind = "arrays"
    for name, member in members_of(source, limits, report, floor=ZEROS).items():
        if not name.endswith(".npy"):
            report.refuse("extra-member", name, "no array")
        else:
            inspect_npy(member, limits, report, name.removesuffix(".npy"))
