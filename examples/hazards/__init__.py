"""A catalogue of ways to lose a model: each module is one, with what it looks like today, its remedy and a healthy twin.

A module has

    FROM      rows of the articles' scenarios that it ports, as the README numbers them
    TODAY     what happens with TensorFlow 2.21 and Keras 3.15.1
    SILENT    whether that raises nothing and warns of nothing
    ROW       the group of rows of the verdict that says so
    REMEDY    what to do instead
    hazard    writes a version that has lost something; `healthy` writes one that has not
    today     asserts what TODAY says, of the version that `hazard` wrote
"""

from pathlib import Path

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "common"))
