"""Looking at a live Keras model without changing it. Only this, `formats` and `callbacks` import Keras and TensorFlow."""
