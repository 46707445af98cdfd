"""Microscope formats: CZI, ND2, LIF and OME-Zarr, each read by the library of its field."""
