"""From probabilities to objects: numpy, scipy and scikit-image; never torch."""
