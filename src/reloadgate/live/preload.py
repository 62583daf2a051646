"""What the fork server does once, so that no child does it: imports, and the readers of records. No operation runs.

Imported by the fork server alone. What is collected and frozen here is not touched, nor copied, by a collection in a child.
"""

import gc

import h5py
import keras
import tensorflow as tf

from reloadgate.evidence import Artifact, ReloadedEvidence, SavedEvidence, Sealed
from reloadgate.live import fresh
from reloadgate.nouns import reader_of

PRELOADED = (h5py, keras, tf, fresh)

for _record in (Artifact, Sealed, SavedEvidence, ReloadedEvidence):
    reader_of(_record)
gc.collect()
gc.freeze()
