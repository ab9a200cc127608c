"""Reading and writing images: numpy, tifffile, zarr and dask; never torch."""
