"""Recognizing BioImage.IO packages, without importing what runs them."""

from __future__ import annotations

from pathlib import Path


def is_package(source: str | Path) -> bool:
    """Whether a path is a BioImage.IO package.

    Args:
        source: any path or id.

    Returns:
        True for a zip, an rdf.yaml, or a folder with an rdf.yaml or bioimageio.yaml.
    """
    path = Path(source)
    if path.is_dir():
        return any((path / name).is_file() for name in ("rdf.yaml", "bioimageio.yaml"))
    return path.is_file() and path.suffix in {".zip", ".yaml", ".yml"}
