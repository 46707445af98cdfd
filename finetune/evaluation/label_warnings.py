"""Warnings about label images that hold something else: gray levels, classes, or labels used twice."""

from __future__ import annotations

from collections.abc import Mapping

from finetune.data.mask_checks import Finding, finding_warnings

ADVICE = {
    "soft": "look like images or probabilities, not like labels: check the folder, or threshold them and use "
    "--labels foreground",
    "stray": "hold one value and stray others, as smoothing or JPEG leave them: threshold them and use "
    "--labels foreground",
    "classes": "give all objects of a class one label: use --labels foreground, which makes each connected "
    "region an instance",
    "reused": "use a label for several separate objects: each counts as one instance",
    "boundaries": "look like boundaries, thin lines that enclose objects: use --labels boundary",
    "border": "have one label along the whole border, which looks like background: background must be 0",
}
"""What a kind of finding means for a comparison; follows "N of M predictions"."""


def label_warnings(side: str, findings: Mapping[str, Finding | None]) -> list[str]:
    """Warn about label images that seem to hold something else.

    Args:
        side: "predictions" or "references".
        findings: what is suspicious about each label image, by name; None if nothing is.

    Returns:
        One line per kind of finding, with the names of the first images.
    """
    return finding_warnings(side, ADVICE, list(findings.items()))
