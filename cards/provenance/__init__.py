"""Provenance of a model: signature, ML-BOM, description of the data. Libraries are imported when needed."""
