"""The texts that `init` puts into a repository: stages, settings, targets, a CI job."""

STAGES = {
    "reload": """\
  reload:
    cmd: reloadgate reload
    deps:
      - reports/versions
      - LOCK
      # and the modules of your layers and loaders, where no stage that trains depends on them
    params: [TRACKED]
    outs: [reports/evidence]
""",
    "compare": """\
  compare:
    cmd: reloadgate compare
    deps: [reports/evidence, reports/versions]
    outs: [reports/comparison.json]
    plots:
      - reports/plots/resume.csv: {cache: false}
""",
    "judge": """\
  judge:
    cmd: reloadgate judge
    deps: [reports/comparison.json]
    params: [policy]
    outs:
      - reports/verdict.json: {cache: false}
      - reports/report.html: {cache: false}
      - reports/report.md: {cache: false}
      - reports/junit.xml: {cache: false}
    metrics:
      - reports/metrics.json: {cache: false}
""",
    "gate": """\
  gate:
    cmd: reloadgate gate
    deps: [reports/versions, reports/evidence, reports/verdict.json]
    params: [policy]
    always_changed: true
""",
}
"""The stages that verify, by name; LOCK stands for the file that pins the packages, TRACKED for the settings of a reload."""

PARAMS = """\
# The model versions that reloadgate verifies: models/<name>/<version>.
models:
"""

POLICY = """\
# What is good enough of a reloaded model.
policy:
  random_state: version      # where the state of seed generators must be: artifact, version, ignored
  location: persistent       # any: allow temporary places
  pushed: false              # true: DVC's remote must have every file of a version
  own_loader: noted          # strict: refuse what inspection refuses from your own loader too
  tolerances:                # largest absolute difference in the environment in which the model was saved
    weights: 0
    optimizer: 0
    predictions: 0
    resume: 0
  flips: 0                   # decisions on the probe that may change
"""

MAKE = {
    "verify": """\
.PHONY: verify
verify:
\treloadgate verify
""",
    "drill": """\
.PHONY: drill
drill:
\treloadgate drill
""",
}
"""The rules of the Makefile, by target."""

GITIGNORE = ["/reports/verify/"]

GITIGNORE_OF_DVC = [
    "/reports/evidence",
    "/reports/comparison.json",
    "/reports/report.html",
    "/reports/report.md",
    "/reports/junit.xml",
]

DVCIGNORE = ["__pycache__"]

GITHUB = """\
name: reloadgate
on: [push, pull_request]
permissions:
  contents: read
jobs:
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0  # all commits, for `reloadgate history` and `reloadgate verify --against`
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: INSTALL
      - run: RUN
      - if: always()
        run: cat REPORT/report.md >> "$GITHUB_STEP_SUMMARY"
"""

GITLAB = """\
reloadgate:
  image: python:3.11
  variables:
    GIT_DEPTH: 0  # all commits, for `reloadgate history` and `reloadgate verify --against`
  script:
    - INSTALL
    - RUN
  artifacts:
    when: always
    paths: [REPORT/report.html]
    reports:
      junit: REPORT/junit.xml
"""
