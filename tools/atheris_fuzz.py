"""Feed inspection bytes that coverage leads to, from the seeds of the tests: `python tools/atheris_fuzz.py m.keras -runs=20000`.

Needs `pip install atheris`, which is no part of the environment: it has wheels for few platforms. The first argument names a seed
of tests/inspection/test_fuzz.py, the others are libFuzzer's. What it finds becomes a test there.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "inspection"), str(Path(__file__).parents[1] / "tests")]
with atheris.instrument_imports(include=["reloadgate.inspection"]):
    from test_fuzz import said_of, seeds


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sm").mkdir()
        name, corpus = sys.argv.pop(1), folder / "corpus"
        corpus.mkdir()
        (corpus / "seed").write_bytes(seeds(folder)[name])
        path = folder / name

        def once(data: bytes) -> None:
            path.write_bytes(data)
            said_of(path if "/" not in name else path.parent)

        atheris.Setup([*sys.argv, str(corpus)], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
