"""What the fork server does once, so that no child does it: imports, their files, and the readers of records. No operation runs.

Imported by the fork server alone. What is collected and frozen here is not touched, nor copied, by a collection in a child.
"""

import gc

from reloadgate.engine import footprint
from reloadgate.evidence import Artifact, ReloadedEvidence, SavedEvidence, Sealed
from reloadgate.inspection import child
from reloadgate.live import fresh
from reloadgate.nouns import reader_of

PRELOADED = (fresh, child)  # and with them TensorFlow, Keras and h5py

for _record in (Artifact, Sealed, SavedEvidence, ReloadedEvidence):
    reader_of(_record)
footprint.imported()
gc.collect()
gc.freeze()
