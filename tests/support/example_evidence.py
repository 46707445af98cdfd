"""What an example record states besides accuracy: related images, selections, energy, package tests."""

from __future__ import annotations

from cards.evidence import Energy, InferencePrecision, Leakage, Relation, RuntimeCheck, Selection, Tiling


def energy() -> Energy:
    """Energy and CO2 of the training."""
    return Energy(
        kilowatt_hours=0.0312, co2_kilograms=0.00491, region="Example Region", source="codecarbon 2.8.4"
    )


def runtimes() -> list[RuntimeCheck]:
    """Two environments, in one of which the package fails."""
    return [
        RuntimeCheck(
            package="bioimageio/unet_nuclei.zip",
            environment="current",
            packages={"bioimageio.core": "0.11.0", "torch": "2.15.0"},
            passed=True,
        ),
        RuntimeCheck(
            package="bioimageio/unet_nuclei.zip",
            environment="BioImage.IO zoo",
            packages={"bioimageio.core": "0.10.4", "torch": "2.5.1"},
            passed=False,
            detail="test output differs in 12 of 8,192 values",
        ),
    ]


def leakage() -> Leakage:
    """Six of twenty test images and two of five validation images are related to training images."""
    tests = [
        Relation(
            image=f"nucleus_{number:02d}",
            split="test",
            related_to=f"train_{number + 10:02d}",
            kind="same field",
            evidence=f"right border continues, correlation 0.99{number}",
        )
        for number in range(5)
    ]
    copy = Relation(
        image="nucleus_07",
        split="test",
        related_to="train_03",
        kind="near",
        evidence="rotated by 90°, correlation 0.999",
    )
    validation = [
        Relation(
            image=f"validation_{number:02d}",
            split="validation",
            related_to=f"train_{number:02d}",
            kind="same field",
            evidence="lower border continues, correlation 0.991",
        )
        for number in range(2)
    ]
    return Leakage(
        method="Hashes of pixels, perceptual hashes in 8 orientations, and correlation of borders (≥ 0.98).",
        relations=[*tests, copy, *validation],
        base_model_exposure="not seen",
        exposure_source="https://example.com/unet2d-nuclei-broad",
    )


def selections() -> list[Selection]:
    """The epoch and a threshold, both by Dice on the validation images."""
    return [
        Selection(what=what, value=value, metric="Dice", split="validation", images=5)
        for what, value in (("epoch", "32"), ("threshold", "0.5"))
    ]


def tiling() -> Tiling:
    """A network with a receptive field that tiles cannot cover."""
    return Tiling(receptive_field="image", halo=64, tile=128, images=4, pixels=4 * 256 * 320, mismatch=0.0123)


def inference() -> InferencePrecision:
    """bfloat16, which was compared on the five validation images."""
    return InferencePrecision(
        precision="bf16",
        reason="faster, with the same accuracy",
        images=5,
        gain=1.93,
        agreement=0.99981,
        dice_change=-0.00012,
        ap50_change=0.0,
    )
