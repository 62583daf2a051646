"""Looking at a live Keras model without changing it. The only modules, with `formats`, that import Keras and TensorFlow."""
