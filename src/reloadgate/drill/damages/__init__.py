"""Everything that is known to happen to a finished model version, a module an area.

No damage imports TensorFlow or Keras, and none asks the code that is to catch it: it changes files as such.
"""

from reloadgate.drill.damages import (
    archive,
    compiling,
    configuration,
    evidence,
    formats,
    optimizer,
    place,
    state,
    weights,
)
from reloadgate.drill.damages.damage import Damage

DAMAGES: tuple[Damage, ...] = (
    *weights.DAMAGES,
    *state.DAMAGES,
    *optimizer.DAMAGES,
    *compiling.DAMAGES,
    *configuration.DAMAGES,
    *archive.DAMAGES,
    *formats.DAMAGES,
    *formats.SIBLINGS,
    *place.DAMAGES,
    *evidence.DAMAGES,
)
"""What is verified by reloading; the damages of the pipeline are in `pipeline`, and the gate itself answers them."""
