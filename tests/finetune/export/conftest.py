"""A small model, images that it can label, and the record of a run that could have made it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import blob_network
import numpy as np
import pytest
import torch

from cards.base import NetworkSpec, Spec
from cards.people import Author
from cards.record import Card, Data, DataFile, Environment, Origin, RunRecord
from cards.record import Model as ModelPart
from cards.training import Training
from finetune.data.normalization import Normalize, Percentile, ZeroMeanUnitVariance
from finetune.export.bioimageio import save_package
from finetune.inference.model import Model
from finetune.metrics.registry import describe_metrics
from finetune.pipeline.record_builder import describe_target
from finetune.repositories.registry import LoadOptions, load
from finetune.targets.registry import build_target

SEED = 3


MakeModel = Callable[..., Model]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """make_model(channels=1, target="foreground", normalize=Percentile(), select="auto", seed=0)."""

    def make(
        channels: int = 1,
        target: str = "foreground_boundary",
        normalize: Normalize | None = None,
        select: str | list[int] = "auto",
        seed: int = 0,
    ) -> Model:
        built = build_target(target, {})
        loaded = load(
            "wipp",
            "unet",
            LoadOptions(
                in_channels=channels,
                out_channels=built.channels,
                options={"width": 8, "depth": 2},
                seed=seed,
            ),
        )
        with torch.no_grad():  # a scale at which random weights give probabilities on both sides of 0.5
            loaded.network.head.weight *= 3
        return Model(
            network=loaded.network,
            target=built,
            normalize=normalize or Percentile(),
            select=select,
            channels=channels,
            divisor=loaded.divisor,
            architecture=loaded.architecture,
        )

    return make


@pytest.fixture(scope="session")
def image() -> Callable[..., np.ndarray]:
    """image(channels=1, height=50, width=70, dtype=np.uint16, seed=0) -> blobs (C, H, W)."""
    from scipy.ndimage import gaussian_filter

    def make(
        channels: int = 1, height: int = 50, width: int = 70, dtype: type = np.uint16, seed: int = 0
    ) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(channels, height, width))
        blobs = gaussian_filter(noise, (0, 3, 3))
        return (200 + 300 * (blobs - blobs.min())).astype(dtype)

    return make


@pytest.fixture(scope="session")
def make_record() -> Callable[[Model], RunRecord]:
    """make_record(model) -> a record in which nothing was measured."""

    def make(model: Model) -> RunRecord:
        config = model.config()
        count = sum(parameter.numel() for parameter in model.network.parameters())
        file = DataFile(
            name="blobs",
            split="train",
            image="train/images/blobs.tif",
            label="train/masks/blobs.tif",
            shape=[model.channels, 50, 70],
            dtype="uint16",
            instances=3,
            **dict.fromkeys(("image_sha256", "label_sha256", "image_pixels", "label_pixels"), "0" * 64),
        )
        return RunRecord(
            name="blobs",
            created="2026-03-14T09:26:53+00:00",
            finetune_version=version("finetune"),
            recipe={},
            card=Card(
                title="Blobs",
                description="Finds blobs.",
                authors=[Author(name="Ada Example", github_user="ada-example")],
                license="MIT",
            ),
            model=ModelPart(
                base=Origin(repository="wipp", id="unet", weights="random"),
                architecture=config["architecture"],
                target=describe_target(model.target),
                normalize=Spec(name=model.normalize.name, options=model.normalize.options()),
                channels=model.channels,
                maps=model.target.channels,
                divisor=model.divisor,
                parameters=count,
                trainable=count,
            ),
            data=Data(
                id="blobs",
                labels="instances",
                split_by="by hand",
                files=[file],
                source="https://unreachable.invalid/blobs",
            ),
            training=Training(
                epochs_planned=1,
                epochs=1,
                steps=1,
                images_seen=1,
                batch_size=1,
                patch=64,
                optimizer="AdamW",
                learning_rate=1e-3,
                schedule="none",
                weight_decay=0,
                loss="binary cross-entropy",
                augmentation="none",
                precision="32-true",
                seed=0,
                seconds=1,
            ),
            metrics=describe_metrics(),
            environment=Environment(
                python="3.11.7", platform="Linux", cpu="a CPU", cores=2, memory_bytes=None, packages={}
            ),
        )

    return make


@dataclass(frozen=True)
class Exported:
    """A model with its package, an image that it has not seen, and the random numbers after the export."""

    model: Model
    path: Path
    pixels: np.ndarray
    random: tuple[float, float]


@pytest.fixture(scope="session")
def export(tmp_path_factory, make_record) -> Callable[..., Exported]:
    """export(model, pixels, unseen)."""

    def make(model: Model, pixels: np.ndarray, unseen: np.ndarray) -> Exported:
        folder = tmp_path_factory.mktemp("run") / "bioimageio"
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        path = save_package(model, make_record(model), pixels, folder, "blobs")
        return Exported(model, path, unseen, (np.random.rand(), torch.rand(1).item()))

    return make


@pytest.fixture(scope="session")
def plain(export, make_model, image) -> Exported:
    """One channel, normalized by percentiles, foreground and boundary."""
    return export(make_model(), image(height=150, width=170), image(height=64, width=80, seed=1))


@pytest.fixture(scope="session")
def seeing() -> Callable[..., Model]:
    """seeing(target, options) -> a model of `BlobNetwork` that finds bright blobs; rays are 4 pixels long."""

    def make(target: str, options: dict | None = None) -> Model:
        built = build_target(target, options or {})
        stride = getattr(built, "grid", 1)
        network = blob_network.BlobNetwork(1, built.channels, stride)
        y, x = np.mgrid[-4:5, -4:5]
        blob = np.exp(-(y**2 + x**2) / 8)
        blob /= blob.sum()
        kernels = {"flows": [400 * y * blob / 8, 400 * x * blob / 8, 40 * blob], "rays": [40 * blob]}[target]
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            network.convolution.weight[: len(kernels), 0] = torch.from_numpy(np.stack(kernels)).float()
            bias = network.convolution.bias
            if target == "flows":
                bias[2] = -26  # the logit is 0 at 0.65 of the greatest intensity
            else:
                bias[0] = -30
                bias[1:] = 4
                if options and options.get("foreground"):
                    network.convolution.weight[-1] = network.convolution.weight[0]
                    bias[-1] = -20
        return Model(
            network=network,
            target=built,
            normalize=Percentile(),
            select="auto",
            channels=1,
            divisor=8,
            architecture=NetworkSpec(repository="tests", name="blobs", options={"stride": stride}),
        )

    return make


@pytest.fixture(scope="session")
def flows(export, seeing, image) -> Exported:
    """A package that yields labels by Cellpose's dynamics."""
    return export(
        seeing("flows", {"flow_threshold": 2.0}),
        image(height=150, width=170),
        image(height=120, width=136, seed=1),
    )


@pytest.fixture(scope="session")
def rays(export, seeing, image) -> Exported:
    """A package that yields labels by StarDist's suppression, of a network of half the resolution."""
    model = seeing("rays", {"rays": 16, "grid": 2})
    return export(model, image(height=150, width=170), image(height=120, width=136, seed=1))


@pytest.fixture(scope="session")
def outlines(export, seeing, image) -> Exported:
    """A package that yields the maps of StarDist, from which finetune decodes labels with outlines."""
    model = seeing("rays", {"rays": 16, "grid": 2, "outline_threshold": 0.2})
    return export(model, image(height=150, width=170), image(height=120, width=136, seed=1))


@pytest.fixture(scope="session")
def foreground_outlines(export, seeing, image) -> Exported:
    """A package that yields the maps of StarDist with the foreground, from which the outlines come."""
    model = seeing("rays", {"rays": 16, "grid": 2, "foreground": True, "outline_threshold": 0.5})
    return export(model, image(height=150, width=170), image(height=120, width=136, seed=1))


@pytest.fixture(scope="session")
def colored(export, make_model, image) -> Exported:
    """Two of three channels in another order, standardized, foreground alone; made from a small image."""
    model = make_model(channels=2, target="foreground", normalize=ZeroMeanUnitVariance(), select=[2, 0])
    model.network.train()
    return export(
        model, image(channels=3, height=37, width=43), image(channels=3, height=64, width=80, seed=1)
    )


@pytest.fixture(scope="session")
def rewrite() -> Callable[[Path, str, bytes], None]:
    """rewrite(package, name, content): put another file into a package, and its hash for the old one's."""

    def put(path: Path, name: str, content: bytes) -> None:
        with zipfile.ZipFile(path) as package:
            files = {each: package.read(each) for each in package.namelist()}
        hashes = [hashlib.sha256(each).hexdigest().encode() for each in (files[name], content)]
        assert hashes[0] in files["rdf.yaml"]
        files |= {name: content, "rdf.yaml": files["rdf.yaml"].replace(*hashes)}
        with zipfile.ZipFile(path, "w") as package:
            for each, its_content in files.items():
                package.writestr(each, its_content)

    return put
