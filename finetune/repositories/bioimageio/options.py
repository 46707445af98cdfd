"""Options of BioImage.IO packages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from finetune.utils.options import Options


class PackageOptions(Options):
    """Options of a BioImage.IO package."""

    weights: Literal["torchscript", "pytorch_state_dict"] | None = Field(
        None,
        description="weights to train; by default TorchScript if present. A state dict needs model.trust",
    )


def options_model(name: str) -> type[BaseModel] | None:
    """Options that a recipe may set for a package.

    Args:
        name: id or web address of the package; all packages have the same options.

    Returns:
        A pydantic model.
    """
    return PackageOptions
