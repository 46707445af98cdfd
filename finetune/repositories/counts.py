"""Numbers of models by kind, as the catalog shows them."""

from __future__ import annotations

from dataclasses import dataclass

# Kinds of models by name: the Hub's pipeline tag, and the text that identifies the kind in tags and tasks.
KINDS = {
    "image classification": ("image-classification", "classification"),
    "segmentation": ("image-segmentation", "segmentation"),
    "mask generation": ("mask-generation", "mask generation"),
}
# Numbers that the talk "Reusing existing trained AI models in WIPP" (NIST) stated.
TALK = {
    "cellpose": "21",
    "sam2": "8",
    "torchvision": "20 image classification, 5 segmentation",
}
MAX_COUNT = 10_000  # models; counting stops there, so that the answer comes within seconds


@dataclass(frozen=True)
class Count:
    """Number of models.

    Attributes:
        number: None if unknown.
        more: whether there are more models than `number`.
    """

    number: int | None
    more: bool = False

    def __str__(self) -> str:
        if self.number is None:
            return "not known"
        return f"{'more than ' * self.more}{self.number:,}"


Row = dict[str, Count]  # by kind
