"""Great Expectations at work: a suite on a table, as a checkpoint, with Data Docs where they are wanted."""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.extras import defer, need
from reloadgate.files import scratch

SITE = "local"

SELDOM_USED = ("altair", "scipy.stats")
"""What Great Expectations imports for three of its expectations: two fifths of the time that it takes to import."""


def great_expectations() -> Any:
    """Great Expectations, imported here (three seconds).

    Raises:
        UsageError: it is not installed.
    """
    need("expectations", "a Great Expectations suite")
    for name in SELDOM_USED:
        defer(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside its own dependencies
        import great_expectations as gx
    return gx


class Checkpoints:
    """Runs suites on tables in one context that lives in memory."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._source = context.data_sources.add_pandas("comparison")

    def run(self, name: str, lines: Sequence[dict[str, Any]], expectations: Sequence[Any]) -> list[Any]:
        """What became of every expectation of a suite, in their order.

        Args:
            name: of the suite, once only.
            expectations: Great Expectations' own, or mappings of `type` and `kwargs`.

        Raises:
            UsageError: it does not take all of them; Great Expectations itself leaves out what it does not know.
        """
        import great_expectations as gx
        import pandas as pd

        batch = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        suite = self._context.suites.add(gx.ExpectationSuite(name=name, expectations=list(expectations)))
        if len(suite.expectations) != len(expectations):
            taken, wanted = len(suite.expectations), len(expectations)
            raise UsageError(f"Great Expectations knows {taken} of its {wanted} expectations; see their types and kwargs")
        definition = self._context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        # Not "SUMMARY": counting every unexpected value once more takes a quarter of the time, and no row of ours shows it.
        checkpoint = gx.Checkpoint(name=name, validation_definitions=[definition], result_format="BASIC")
        result = self._context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": pd.DataFrame(list(lines))})
        (validation,) = result.run_results.values()
        return list(validation.results)


@contextmanager
def checkpoints(docs: Path | None = None) -> Iterator[Checkpoints]:
    """Great Expectations with a context of its own.

    Args:
        docs: the folder that Data Docs of all that is run replace, when they are whole; None for none.

    Raises:
        UsageError: it is not installed.
    """
    gx = great_expectations()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside Great Expectations' own dependencies
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        yield Checkpoints(context)
        if docs is not None:
            _build_docs(context, docs)


def _build_docs(context: Any, docs: Path) -> None:
    """Data Docs of all that was run, built beside their place and put there whole."""
    docs.parent.mkdir(parents=True, exist_ok=True)
    with scratch("docs", docs.parent) as folder:
        made = folder / "site"
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(made.absolute())}
        site = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": store,
        }
        context.add_data_docs_site(SITE, site)
        context.build_data_docs(site_names=[SITE])
        shutil.rmtree(docs, ignore_errors=True)
        made.rename(docs)
