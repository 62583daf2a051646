"""What the user's code reads of its objects: an argument that came back as another is of consequence only where it is read."""

import importlib
from pathlib import Path
from textwrap import dedent, indent

import pytest

pytestmark = pytest.mark.keras

CODE = """
    import functools
    import helping
    from operator import attrgetter
    from helping import cut, deeply

    class Whole:
        def __init__(self):
            self.limit = self.derived = 1
            print(self.limit)

        def get_config(self):
            return {"limit": self.limit}

        def build(self, shape):
            self.kernel = self.limit
"""


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("", False),
        ("def call(self, x): return x[: self.limit]", True),
        ("def call(self, x): return [x[: self.limit] for x in x]", True),
        ("def call(self, x): return (lambda: x[: self.limit])()", True),
        ("def call(self, x): return self.limit(x)", True),
        ("@functools.cache\ndef call(self, x): return x[: self.limit]", True),
        ("def through(f):\n        return lambda *x: f(*x)\n\n@through\ndef call(self, x): return x[: self.limit]", True),
        ("@functools.cached_property\ndef most(self): return self.limit", True),
        ("most = functools.partialmethod(lambda self, x: x[: self.limit], 1)", True),
        ("most = property(attrgetter('limit'))", True),
        ("def call(self, x):\n    from apart import far\n    return far(self, x)", True),
        ("def call(self, x): return deeply(self, x)", True),
        ("@staticmethod\ndef call(it, x): return x[: it.limit]", True),
        ("@property\ndef most(self): return self.limit", True),
        ("def call(self, x): return x[: getattr(self, 'limit')]", True),
        ("def call(self, x): return attrgetter('limit')(self)", True),
        ("def call(self, x): return x[: vars(self)['limit']]", True),
        ("def call(self, x): return x[: self.__dict__['limit']]", True),
        ("def call(self, x): self.limit += 1", False),
        ("def call(self, x): self.limit = x", False),
        ("def call(self, x): return x['limit']", False),
        ("def call(self, x): return cut(self, x)", True),
        ("class Other:\n    def told(self): return vars(self)", False),
        ("def call(self, x): return helping.shorten(self, x)", True),
        ("class Within:\n    def of(self, it): return it.limit", True),
        ("def call(self, x): return x\n\nclass Within:\n    def of(self, it): return it.limit", True),
    ],
)
def test_what_a_method_or_function_reads_is_read(code: str, read: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reloadgate.live.reads import read_of

    monkeypatch.syspath_prepend(tmp_path)
    files = {
        "apart": ["def far(it, x): return x[: it.limit]"],
        "deeper": ["def deeply(it, x): return x[: it.limit]"],
        "helping": [
            "import deeper",
            "def cut(it, x): return x[: it.limit]",
            "def shorten(it, x): return x[: it.limit]",
            "def deeply(it, x): return deeper.deeply(it, x)",
        ],
    }
    for name, lines in files.items():
        written_out = [line if line.partition("(")[0].split()[-1] in code else line.replace("it.limit", "0") for line in lines]
        (tmp_path / f"{name}.py").write_text("\n".join(written_out))
    (tmp_path / "written.py").write_text(dedent(CODE) + (code if code.startswith("class") else indent(code, "    ")))
    for name in (*files, "written"):
        monkeypatch.delitem(importlib.sys.modules, name, raising=False)  # type: ignore[attr-defined]
    importlib.import_module("apart")  # as a call does
    written = importlib.import_module("written")
    assert ("limit" in read_of([written.Whole()])) is read


@pytest.mark.usefixtures("keras")
def test_of_what_is_installed_all_names_count_that_its_code_mentions() -> None:
    import keras

    from reloadgate.live.reads import read_of

    class Wide(keras.layers.Dense):
        pass

    read = read_of([Wide(3)])
    assert "units" not in read_of([keras.layers.Dense(3)])  # what is Keras' own is compared by its configuration
    assert "activation" in read
    assert "nothing_of_this_name" not in read


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(
    ("fit", "reads"),
    [
        ("return super().fit(x, y)", False),
        ("return super().fit(x, y * self.factor)", True),
        ("return super().fit(x, self.scaled(y))", True),
        ("return super().fit(x, self.twice(y))", True),
        ("return super().fit(x, y * self.most)", True),
        ("return self.train_step((x, y))", False),  # which the resumed steps take
    ],
)
def test_what_a_method_reads_through_others_of_the_class_it_reads(fit: str, reads: bool) -> None:
    import keras

    from reloadgate.live.reads import read_by

    class Net(keras.Model):
        def train_step(self, data):  # type: ignore[no-untyped-def]
            return self.factor

        def scaled(self, y):  # type: ignore[no-untyped-def]
            return y * self.factor

        def twice(self, y):  # type: ignore[no-untyped-def]
            return 2 * self.scaled(y)

        @property
        def most(self):  # type: ignore[no-untyped-def]
            return self.factor

    space: dict[str, type] = {"Net": Net}
    exec(f"class Fitting(Net):\n    def fit(self, x, y):\n        {fit}", space)
    assert (("factor", "fit") in {*read_by(["fit"], [space["Fitting"], Net], dir(keras.Model))}) is reads
