"""The public interface: what `import finetune` offers, and label images compared from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import finetune

LABELS = np.zeros((8, 8), np.int32)
LABELS[1:4, 1:4], LABELS[5:8, 4:8] = 1, 2


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for name in finetune.__all__:
        assert getattr(finetune, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = finetune.nothing


def test_importing_finetune_imports_nothing_heavy() -> None:
    code = (
        "import sys, finetune; heavy = {'torch', 'numpy', 'pydantic'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_equal_label_images_score_one() -> None:
    result = finetune.evaluate(LABELS, LABELS)
    precisions = {f"ap{threshold}": 1 for threshold in range(50, 100, 5)}
    scores = {"dice": 1, **precisions, "mean_ap": 1, "pq": 1}
    distances = {"boundary_distance": 0, "boundary_distance_95": 0}
    counts = {"reference_instances": 2, "predicted_instances": 2, "matched_instances": 2}
    assert result.images == {"0": scores | distances | counts}
    assert result.summary["pq"].mean == 1


def test_folders_are_compared_file_by_file(tmp_path: Path) -> None:
    for folder, second in (("predicted", np.zeros_like(LABELS)), ("reference", LABELS)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", LABELS)
        tifffile.imwrite(tmp_path / folder / "b.tif", second)
    result = finetune.evaluate(tmp_path / "predicted", str(tmp_path / "reference"))
    assert {name: values["dice"] for name, values in result.images.items()} == {"a": 1, "b": 0}
    assert (result.summary["dice"].mean, result.summary["dice"].std) == (0.5, 0.5)
    (tmp_path / "reference" / "b.tif").unlink()
    with pytest.raises(finetune.DataError, match="b: has no reference"):
        finetune.evaluate(tmp_path / "predicted", tmp_path / "reference")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (LABELS[:4], r"0: the prediction has shape \(4, 8\), the reference \(8, 8\)"),
        (LABELS / 2, "0: a label image is a 2D integer array, got float64"),
        ([], "no label images"),
        ("nowhere", "nowhere: no such file or folder"),
    ],
)
def test_label_images_that_cannot_be_compared(predictions, message: str) -> None:
    with pytest.raises(finetune.DataError, match=message):
        finetune.evaluate(predictions, LABELS)


def test_recipes_are_read_by_name() -> None:
    assert finetune.read_recipe("quickstart", ["training.epochs=3"]).training.epochs == 3


def test_predict_passes_trust_to_the_model_that_it_loads(tmp_path: Path) -> None:
    from foreign import NETWORK, make_package

    code = NETWORK.replace(
        "        x = self.encoder(x)\n", "        print(x.size(0))\n        x = self.encoder(x)\n"
    )
    package = make_package(tmp_path, code=code)
    image = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    with pytest.raises(finetune.ModelError, match="trust"):
        finetune.predict(package, image)
    assert finetune.predict(package, image, trust=True).shape == (64, 64)
