"""Models of the BioImage.IO Model Zoo as its index describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from finetune.repositories.base import ModelInfo
from finetune.repositories.bioimageio.description import NOT_TUNABLE, PACKAGE
from finetune.repositories.bioimageio.names import DOI, KNOWN_DOIS
from finetune.repositories.bioimageio.package import TUNABLE, texts

OBJECTS = ("nuclei", "nucleus", "cells", "cell", "bacteria", "yeast", "mitochondria", "neurons", "membrane")

# Of the zoo's first index (github.com/bioimage-io/collection-bioimage-io, rdfs/10.5281/zenodo.5764892). The
# network predicts two maps, foreground and boundary.
AFFABLE_SHARK = replace(
    PACKAGE,
    name="affable-shark",
    title="NucleiSegmentationBoundaryModel: U-Net for nuclei in fluorescence images",
    license="CC-BY-4.0",
    targets=("foreground_boundary",),
    objects=("nuclei",),
    aliases=tuple(doi for doi, name in KNOWN_DOIS.items() if name == "affable-shark"),
)
KNOWN = (AFFABLE_SHARK,)


def describe_manifest(manifest: Mapping[str, Any]) -> ModelInfo | None:
    """Describe a model by its entry in the zoo's index.

    Args:
        manifest: description of the model in the format of BioImage.IO, as far as the index has it; "alias"
            is the name of the entry.

    Returns:
        The description; None if the entry has no name.
    """
    dois = list(dict.fromkeys(DOI.findall(" ".join(texts([manifest.get("id"), manifest.get("config")])))))
    name = next(
        (text for key in ("alias", "id") if isinstance(text := manifest.get(key), str) and text), None
    )
    if name is None:
        return None
    tags = [tag.lower() for tag in manifest.get("tags") or [] if isinstance(tag, str)]
    words = {word for tag in tags for word in re.split(r"[\W_]+", tag)}
    weights = manifest.get("weights")
    formats = list(weights) if isinstance(weights, dict) else []
    license = manifest.get("license")
    return ModelInfo(
        name=name.rpartition("/")[2] if not DOI.match(name) else name,
        title=str(manifest.get("name") or "not stated"),
        task=_task(tags),
        license=license if isinstance(license, str) else None,
        learning_rate=PACKAGE.learning_rate,
        learning_rates=PACKAGE.learning_rates,
        **_tunable(formats, tags),
        objects=tuple(word for word in OBJECTS if word in words),
        aliases=tuple(dois),
    )


def _task(tags: list[str]) -> str:
    """The tags that name a task; the zoo's index has no field for it."""
    kinds = ("segmentation", "classification", "denoising", "restoration", "detection", "super-resolution")
    found = [tag.replace("-", " ") for tag in tags if any(kind in tag for kind in kinds)]
    return ", ".join(dict.fromkeys(found)) or "unknown"


def _tunable(formats: list[str], tags: list[str]) -> dict[str, Any]:
    if "3d" in tags and "2d" not in tags:
        return {"fine_tunable": False, "why_not": "for volumes; finetune trains on 2D images", "targets": ()}
    if formats and not set(formats) & set(TUNABLE):
        reasons = "; ".join(f"{name}, {NOT_TUNABLE.get(name, 'an unknown format')}" for name in formats)
        return {"fine_tunable": False, "why_not": f"its weights are {reasons}", "targets": ()}
    return {}
