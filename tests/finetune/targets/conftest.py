"""Label images that several tests of targets use."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import relabel_sequential


@pytest.fixture(scope="module")
def nuclei() -> np.ndarray:
    """Labels (256, 256) of real nuclei."""
    from stardist.data import test_image_nuclei_2d

    labels = test_image_nuclei_2d(return_mask=True)[1][:256, :256]
    return relabel_sequential(labels)[0].astype(np.int32)
