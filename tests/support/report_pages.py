"""Reports with previews of made-up images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cards import huggingface
from cards.previews import Prediction, Preview, Previews, label_picture, picture
from cards.record import RunRecord
from cards.rendering import below_card
from cards.report import render_html

LABELS = np.zeros((20, 30), np.int32)
LABELS[2:8, 3:9], LABELS[10:15, 20:28] = 1, 300


def previews(*names: str, pixel_size_um: float | None = None) -> Previews:
    image = np.random.default_rng(0).random((1, 20, 30), np.float32)
    shown = Prediction(labels=label_picture(LABELS), distances=[1, 2, 3])
    return Previews(
        filled=False,
        bins=[0.5, 1.5],
        tolerance=2.0,
        images=[
            Preview(
                image=name,
                factor=1.0,
                pixel_size_um=pixel_size_um,
                picture=picture(image),
                reference=label_picture(LABELS),
                after=shown,
            )
            for name in names
        ],
    )


def page(record: RunRecord, found: Previews | None, run: Path | None = None) -> str:
    return render_html(huggingface.render_body(record), Path(), below_card(record, found, run))
