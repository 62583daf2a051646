"""The published JSON Schemas of the files that tools read: made from the nouns themselves, so they say what is written.

`python -m reloadgate.schemas FOLDER` writes them; the repository keeps them in `docs/schemas`.
"""

import sys
from pathlib import Path
from typing import Any

from reloadgate.comparison import Comparison
from reloadgate.drill.trials import Drill
from reloadgate.nouns import SCHEMA_VERSION, write_json
from reloadgate.project import VersionRecord
from reloadgate.verdict import Verdict

PUBLISHED = {"verdict": Verdict, "comparison": Comparison, "version": VersionRecord, "drill": Drill}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of file, without an address: it is named by kind and version."""
    from pydantic import TypeAdapter

    made = TypeAdapter(PUBLISHED[name]).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:reloadgate:{name}:{SCHEMA_VERSION}",
        **made,
    }


def write(folder: Path) -> None:
    for name in PUBLISHED:
        write_json(folder / f"{name}.schema.json", schema(name))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
