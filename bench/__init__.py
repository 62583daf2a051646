"""`make bench`: each script measures a row of docs/performance.md, both sides by turns in one run, as a ratio of medians."""
