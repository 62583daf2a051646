"""What the user's code reads of its objects: an argument that came back as another is of consequence only where it is read."""

import importlib
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

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
        ("def call(self, x): return x[: getattr(self, NAME)]", True),
        ("def call(self, x): return x[: getattr(self, f'li{x}')]", True),
        ("def call(self, x): return [getattr(self, one) for one in x]", True),
        ("def call(self, x): return getattr(functools, x)(self)", False),
        ("def call(self, x): return getattr(self.kernel, 'name', None)", False),
        ("def made(self): self.rule = 1\ndef build(self, shape): self.rule = lambda x: x[: self.limit]", True),
        ("def build(self, shape): self.rule = [[self.limit for _ in x] for x in shape]", False),
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
@pytest.mark.parametrize("held", ["functools.partial(max, limit=limit)", "Slotted(limit)", "Holding(limit)"])
def test_an_argument_that_is_handed_on_is_told(held: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reloadgate.live.described import plain

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(importlib.sys.modules, "handing", raising=False)  # type: ignore[attr-defined]
    code = f"""
        import functools

        class Slotted:
            __slots__ = ("limit",)
            def __init__(self, limit):
                self.limit = limit

        class Holding:
            def __init__(self, limit):
                self.limit = limit

        class Handing:
            def __init__(self, limit):
                self.rule = {held}
    """
    (tmp_path / "handing.py").write_text(dedent(code))
    told = [*plain([("one", importlib.import_module("handing").Handing(3))], {"rule"})]
    assert [(one.key, one.value, one.argument, one.read) for one in told] == [("one.limit", "3.0", True, True)]


FITTING = """
    import functools
    import time
    import types
    import keras

    FACTORS, CALLS, PLACE = {"one": 3.0}, 0, "/tmp/place"

    def by_global(y):
        return y * FACTORS["one"]

    def timed(function):
        @functools.wraps(function)
        def around(*args, **options):
            return function(*args, **options)
        return around

    class Clock:
        def __init__(self):
            self.pace, self.count, self.seen = 3.0, 0, []

        def now(self):
            return self.pace

        def note(self, value):
            self.count += 1
            self.seen.append(value)

    class Called(Clock):
        def __call__(self):
            return self.pace

    class Waiting(keras.callbacks.Callback):
        def __init__(self):
            self.params, self.wait, self.losses = {}, 0, []

        def on_train_begin(self, logs=None):
            self.losses = []

        def on_epoch_end(self, epoch, logs=None):
            if self.wait + len(self.losses) + self.params["epochs"]:
                self.wait += 1

    class Net(keras.Model):
        rate = 3.0

        def __init__(self):
            super().__init__()
            self.factor, self.started, self.seen, self.counts = 3.0, 0.0, [], {"one": 1}
            self.called, self.clock, self.waiting = Called(), Clock(), Waiting()
            self.space = types.SimpleNamespace(state=keras.Variable(3.0))

        def train_step(self, data):
            return self.factor

        def scaled(self, y):
            return y * self.factor

        def twice(self, y):
            return 2 * self.scaled(y)

        @property
        def most(self):
            return self.factor

        @timed
        def fit(self, x, y=None, **options):
            BEFORE
            return super().fit(x, y)
"""


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(
    ("fit", "told"),
    [
        ("options.setdefault('verbose', 0)", ""),
        ("y = y * self.factor", "factor"),
        ("y = y * getattr(self, 'factor', 1.0)", "factor"),
        ("y = self.scaled(y)", "factor"),
        ("y = self.twice(y)", "factor"),
        ("y = self.most * y", "factor"),
        ("y = self.rate * y", "rate"),
        ("y = self.space.state.numpy() * y", "space.state"),
        ("y = self.clock.pace * y", "clock.pace"),
        ("y = self.clock.now() * y", "clock.pace"),
        ("y = self.called() * y", "called.pace"),
        ("options['callbacks'] = [self.waiting]", "waiting.wait"),
        ("y = FACTORS['one'] * y", "fit.FACTORS"),
        ("y = by_global(y)", "fit.FACTORS"),
        ("y = self.train_step((x, y))", ""),  # which the resumed steps take
        ("self.clock.note(y)", ""),
        ("self.seen.append(y)", ""),
        ("self.counts['one'] += 1", ""),
        ("FACTORS['one'] = y", ""),
        ("global CALLS; CALLS += 1", ""),
        ("self.started = time.time(); print(time.time() - self.started)", ""),
        ("print(PLACE)", ""),
    ],
)
def test_what_a_fit_of_the_models_own_reads_is_told(fit: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reloadgate.live.described import plain
    from reloadgate.live.methods import of_methods

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(importlib.sys.modules, "fitting", raising=False)  # type: ignore[attr-defined]
    (tmp_path / "fitting.py").write_text(dedent(FITTING.replace("BEFORE", fit)))
    things = [("model", importlib.import_module("fitting").Net())]
    attributes = {one.key: one for one in (*plain(things, ()), *of_methods(things)) if one.method}
    assert attributes.pop("model.fit").value == '"of its class"'
    assert [*attributes] == [f"model.{told}"] * bool(told)


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(("before", "made"), [("pass", False), ("self.late = self.late or 1.0", True)])
def test_what_a_fit_makes_where_it_is_not_there_need_not_come_back(
    before: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reloadgate.live.described import plain

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(importlib.sys.modules, "fitting", raising=False)  # type: ignore[attr-defined]
    (tmp_path / "fitting.py").write_text(dedent(FITTING.replace("BEFORE", f"{before}\n            y = self.late * y")))
    model = importlib.import_module("fitting").Net()
    model.late = 1.0
    assert [(one.key, one.made) for one in plain([("model", model)], ()) if one.method] == [("model.late", made)]


class Counting:
    def __init__(self, within: Any = None) -> None:
        self.count, self.seen, self.within = 0, [1], within


@pytest.mark.usefixtures("keras")
def test_what_a_step_changes_of_helper_objects_is_put_back_and_named() -> None:
    """Otherwise a second run of the steps would begin where the first ended, and differ by itself."""
    from reloadgate.live.attributes import Attributes, helpers

    inner, outer = Counting(), Counting()
    inner.within, outer.within = outer, inner  # which ends nowhere
    holder = Counting(outer)
    held = [("model", holder)]
    state = Attributes([*held, *helpers(held)])
    outer.count, inner.count = 1, 2
    inner.seen.append(2)
    assert state.put_back() == ["model/within.count", "model/within/within.count", "model/within/within.seen"]
    assert (outer.count, inner.count, inner.seen, outer.within) == (0, 0, [1], inner)


@pytest.mark.usefixtures("keras")
def test_what_is_imported_when_it_is_used_is_not_used() -> None:
    """A module of the user's may hold any number of such, not all of which are installed."""

    from reloadgate.live.reads import codes_of

    class Lazy:
        def __getattr__(self, name: str) -> Any:
            raise ImportError(f"{name} of what is not installed")

    assert list(codes_of(Lazy())) == []
