"""An adapter: only the last layers are trained."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from finetune.utils.options import Options


class Last(Options):
    """Freeze all but the last layers. The fields are `model.adapt_options` in a recipe."""

    layers: int = Field(1, ge=1, description="number of layers that are trained")

    def apply(self, network: Any, encoder: tuple[str, ...]) -> Any:
        layers = [module for module in network.modules() if list(module.parameters(recurse=False))]
        for layer in layers[: -self.layers]:
            layer.requires_grad_(False)
        return network
