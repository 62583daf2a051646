"""Files that are programs: pickles, code, and archives of them. Never opened, told by their first bytes and by their names."""

import re

from reloadgate.inspection.reading import Source

PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".dill", ".cloudpickle")
PACKED = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".z")
"""Added to a name by what packs a file, as joblib does by itself."""
SUFFIXES = (*PICKLES, ".pt", ".pth", ".mar", ".py", ".pyc", ".so", ".dll", ".dylib", ".sh", ".exe")
# Protocol 2 and later; older ones have no mark, but end in "." and start with an opcode that makes or marks something.
PICKLE = re.compile(rb"\x80[\x02-\x05]")
OLD_PICKLE = re.compile(rb"(?:c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n|\(i?[A-Za-z_][\w.]*\n|\(lp?\d*\n|\(dp?\d*\n)")
PROGRAMS = (b"\x7fELF", b"MZ", b"#!", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def is_pickle(source: Source) -> bool:
    head = source.read(0, 256)
    if PICKLE.match(head) or _unpacked(source.name).endswith(PICKLES):
        return True
    return bool(OLD_PICKLE.match(head)) and source.read(source.size - 1, 1) == b"."


def _unpacked(name: str) -> str:
    """The name in small letters, as it is before the file is packed."""
    lower = name.lower()
    return next((lower.removesuffix(suffix) for suffix in PACKED if lower.endswith(suffix)), lower)


def is_program(source: Source) -> bool:
    """Whether reading the file, as its name or first bytes ask for it to be read, runs it."""
    head = source.read(0, 8)
    return is_pickle(source) or _unpacked(source.name).endswith(SUFFIXES) or head.startswith(PROGRAMS)
