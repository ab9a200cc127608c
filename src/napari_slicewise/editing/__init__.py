"""What the human changed, and how a new result goes around it; never torch, never napari."""
