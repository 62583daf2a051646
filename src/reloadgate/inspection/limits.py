"""What an artifact may be: set by the user in `params.yaml`, section `inspect`, never by the artifact."""

import dataclasses

from reloadgate.nouns import noun

MIB = 1 << 20
GIB = 1 << 30


@noun
class Limits:
    file: int = 4 * GIB
    """Bytes of one file, and of all that an archive or a directory holds when it is unpacked."""
    members: int = 1000
    """Members of an archive, files of a directory."""
    ratio: int = 200
    """Largest unpacked size by stored size of a member above 1 MiB, and of a whole archive."""
    config: int = 64 * MIB
    """Bytes of `config.json`, and of the JSON that other formats hold."""
    metadata: int = 64 << 10
    """Bytes of `metadata.json`, of a checkpoint's state file, of the header of an array."""
    depth: int = 200
    """Nesting of JSON and of HDF5 groups."""
    values: int = 2_000_000
    """Values in a JSON document."""
    digits: int = 20
    """Digits of an integer in JSON."""
    layers: int = 2000
    name: int = 300
    """Characters of a name inside an artifact."""
    objects: int = 100_000
    """Objects of an HDF5 file, entries of a checkpoint, nodes of a graph."""
    expansion: int = 1000
    """Largest declared size by stored size of a dataset."""
    attributes: int = 200
    """Attributes of one HDF5 object."""
    memory: int = 4 * GIB
    """Bytes of address space that inspecting one artifact may take."""
    seconds: int = 120
    """CPU time of the process that inspects; it is stopped after twice as much wall time."""
    operations: tuple[str, ...] = ()
    """TensorFlow operations that a SavedModel may use beyond those of the table: the user's own, by name."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name != "operations" and getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, and a limit is above 0")
