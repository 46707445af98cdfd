"""A repository of one small network with an encoder and a decoder, and the command line that knows it."""

from __future__ import annotations

import os
import time

import torch
from torch import nn

from cards.base import NetworkSpec
from cards.record import Origin
from finetune.cli.main import main
from finetune.networks.encoder_decoder import EncoderDecoder, PyramidDecoder
from finetune.repositories.base import Built, Loaded, ModelInfo
from finetune.repositories.registry import REPOSITORIES
from finetune.weights.checkpoint import load_strictly, read_checkpoint


class Encoder(nn.Module):
    """Two levels of features. With dropout: only in evaluation mode are they the same twice."""

    seen = 0  # images, by all encoders of the process
    delay = float(os.environ.get("POOLED_DELAY", 0))  # seconds a batch, so that there is time to kill it

    def __init__(self, channels):
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(channels, 16, 4, stride=4), nn.BatchNorm2d(16), nn.GELU())
        self.coarse = nn.Sequential(nn.Conv2d(16, 32, 2, stride=2), nn.GELU(), nn.Dropout(0.5))

    def forward(self, images):
        Encoder.seen += len(images)
        time.sleep(self.delay)
        fine = self.fine(images)
        return fine, self.coarse(fine)


def network(in_channels=1, out_channels=2):
    torch.manual_seed(0)
    decoder = PyramidDecoder((16, 32), (4, 8), out_channels, width=16)
    return EncoderDecoder(Encoder(in_channels), decoder)


class Pooled:
    """The repository."""

    def models(self):
        return [ModelInfo("small", "Small", "segmentation", None, 1e-2, (1e-5, 1))]

    def build(self, name, *, in_channels, out_channels, options):
        built = NetworkSpec(repository="pooled", name=name)
        return Built(network(in_channels, out_channels), built, divisor=8)

    def load(self, name, start):
        channels = {"in_channels": start.in_channels, "out_channels": start.out_channels}
        built = self.build(name, **channels, options=start.options)
        if start.checkpoint is not None:
            load_strictly(built.network, read_checkpoint(start.checkpoint))
        origin = Origin(repository="pooled", id=name, weights="random")
        return Loaded(**vars(built), origin=origin, learning_rate=1e-2, encoder=("encoder",))

    def save(self, network, architecture, folder, target=None):
        return []


REPOSITORIES["pooled"] = Pooled()

if __name__ == "__main__":
    main()
