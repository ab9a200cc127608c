"""The only folder that imports Qt, magicgui or napari."""
