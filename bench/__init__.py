"""`make bench`: each script measures one row of docs/performance.md, both sides by turns in one run, and prints the ratio of medians."""
