"""How good a segmentation is, compared with a human's."""
