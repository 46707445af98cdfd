"""A program that loads models and prints the labels of an image, or the error, one line of JSON for each."""

from __future__ import annotations

import json
import sys

import numpy as np

from cards.errors import InputError


def main() -> None:
    """Predict the image in a file, the first argument, with each of the models that the others name."""
    from finetune.loading import load

    image, *sources = sys.argv[1:]
    for source in sources:
        try:
            print(json.dumps(load(source).predict(np.load(image)).tolist()))
        except InputError as error:
            print(json.dumps(str(error)))
