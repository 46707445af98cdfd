"""Description of the model in a BioImage.IO package, and whether it can be fine-tuned."""

from __future__ import annotations

from finetune.repositories.base import ANY, ModelInfo
from finetune.repositories.bioimageio.package import TUNABLE, Package

PACKAGE = ModelInfo(
    name=ANY,
    title="any 2D package, by its id, its web address or model.checkpoint",
    task="segmentation",
    license=None,
    learning_rate=3e-4,
    learning_rates=(1e-6, 1e-2),
)

NOT_TUNABLE = {
    "onnx": "a graph for inference: its weights are constants in it, and ONNX Runtime has no gradients",
    "keras_hdf5": "weights of another framework",
    "keras_v3": "weights of another framework",
    "tensorflow_js": "weights of another framework",
    "tensorflow_saved_model_bundle": "weights of another framework",
}


def describe_package(package: Package) -> ModelInfo:
    """Describe the model of a package, and why it cannot be fine-tuned, if so.

    Args:
        package: the package.

    Returns:
        The description.
    """
    why_not = None
    if not any(name in TUNABLE for name in package.formats):
        found = "; ".join(f"{name}, {NOT_TUNABLE.get(name, 'an unknown format')}" for name in package.formats)
        why_not = (
            f"can predict, but cannot be fine-tuned: its weights are {found}; "
            f"fine-tuning requires {' or '.join(TUNABLE)}"
        )
    return ModelInfo(
        name=package.name,
        title=str(package.description.name),
        task=PACKAGE.task,
        license=package.license,
        learning_rate=PACKAGE.learning_rate,
        learning_rates=PACKAGE.learning_rates,
        fine_tunable=why_not is None,
        why_not=why_not,
    )
