"""Example records: a complete one, and one of a run without measurements."""

from __future__ import annotations

from example_evidence import energy, inference, leakage, runtimes, selections, tiling
from example_parts import data_file, recipe, sha256, stage

from cards.authored import Card, Links
from cards.base import NetworkSpec, Spec
from cards.evidence import Parent, Registration
from cards.fingerprint import data_digest, recipe_digest
from cards.people import Author
from cards.record import (
    Data,
    Environment,
    ExportCheck,
    File,
    Model,
    Origin,
    RunRecord,
    TargetSpec,
)
from cards.scores import Accuracy, Change, PromptImage, PromptScore, Summary, Timing
from cards.training import Epoch, Training
from finetune.metrics.registry import describe_metrics


def full(test_images: int = 20) -> RunRecord:
    """A run on a pretrained base model, with everything measured."""
    tests = [f"nucleus_{number:02d}" for number in range(test_images)]
    before, after = stage(tests, 0.83, seed=1), stage(tests, 0.93, seed=2)
    difference = after.summary["dice"].mean - before.summary["dice"].mean
    files = [data_file(f"train_{number:02d}", "train", (256, 320)) for number in range(40)]
    files += [data_file(f"validation_{number:02d}", "validation") for number in range(5)]
    files += [data_file(name, "test", (256, 256 + 64 * (number % 2))) for number, name in enumerate(tests)]
    return RunRecord(
        name="unet_nuclei",
        created="2026-03-14T09:26:53+00:00",
        finetune_version="0.1.0",
        recipe=recipe(),
        card=Card(
            title="U-Net for nuclei in fluorescence images",
            description="Finds every nucleus in a fluorescence image and gives each its own number.\n\n"
            "Made for cell counting; see https://example.com/nuclei for the protocol.",
            authors=[
                Author(
                    name="Ada Example",
                    orcid="0000-0002-1825-0097",
                    affiliation="Example University",
                    github_user="ada-example",
                ),
                Author(name="Grace Example"),
            ],
            license="MIT",
            intended_use="Counting and outlining nuclei in 2D fluorescence images of cell culture.",
            out_of_scope="Diagnosis.",
            limits=["Tissue sections were not in the data."],
            tags=["nuclei", "fluorescence-light-microscopy", "unet"],
            funding="Example Foundation, grant 42",
            contact="ada@example.com",
            links=Links(repository="https://example.com/nuclei/code", paper="https://doi.org/10.1000/182"),
        ),
        model=Model(
            base=Origin(
                repository="bioimageio",
                id="unet2d_nuclei_broad",
                weights="pretrained",
                revision="0.5.0",
                sha256=sha256("base"),
                license="MIT",
                citation=[
                    "Ronneberger et al. 2015, U-Net, MICCAI, https://doi.org/10.1007/978-3-319-24574-4_28"
                ],
                hub_id="example/unet2d-nuclei-broad",
                parents=[Parent(name="unet_em", repository="bioimageio", revision="1.2")],
            ),
            architecture=NetworkSpec(repository="bioimageio", name="unet", options={"depth": 4, "width": 32}),
            target=TargetSpec(
                name="foreground_boundary",
                options={"threshold": 0.5},
                labels="instances",
                map_names=["foreground", "boundary"],
                exported_axes="bcyx",
                selected_on_validation=["threshold"],
            ),
            normalize=Spec(name="percentile", options={"low": 1.0, "high": 99.8}),
            channels=1,
            maps=2,
            divisor=16,
            parameters=4_396_577,
            trainable=4_396_577,
            adapt=Spec(name="full"),
        ),
        data=Data(
            id="dsb2018",
            license="CC0-1.0",
            citation=[
                "Caicedo et al. 2019, Nature Methods 16, 1247, doi:10.1038/s41592-019-0612-7",
                "@inproceedings{schmidt2018,\n  title = {Cell Detection with Star-Convex Polygons},\n"
                "  author = {Schmidt, Uwe and Weigert, Martin},\n  year = {2018},\n"
                "  doi = {10.1007/978-3-030-00934-2_30}\n}",
            ],
            source="https://bbbc.broadinstitute.org/BBBC038",
            hub_id="example/dsb2018",
            note="StarDist's selection of the fluorescence images of stage 1.",
            labels="instances",
            split_by="folders train and test; 10 % of train for validation, seed 0",
            files=files,
        ),
        training=Training(
            epochs_planned=60,
            epochs=40,
            best_epoch=32,
            steps=200,
            images_seen=1_600,
            batch_size=8,
            patch=256,
            optimizer="AdamW",
            learning_rate=0.0003,
            schedule="cosine, 1 epoch of warm-up",
            weight_decay=0.01,
            gradient_clip=1.0,
            average=0.995,
            loss="binary cross-entropy + Dice",
            augmentation="8 symmetries, intensity, noise, scale 0.8–1.25",
            precision="bf16-mixed",
            seed=0,
            seconds=1_325.4,
            device="Example CPU 2.0 GHz, 2 threads",
            images_per_second=1.2071,
            resumed=1,
            stopped_early=True,
            history=[
                Epoch(
                    epoch=number,
                    loss=round(0.9 / number**0.6 + 0.08, 5),
                    validation_dice=round(0.94 - 0.5 / number, 5),
                )
                for number in range(1, 41)
            ],
            selections=selections(),
            energy=energy(),
        ),
        metrics=describe_metrics(),
        accuracy=Accuracy(
            images=len(tests),
            dice_of="foreground",
            before=before,
            after=after,
            change=Change(mean=difference, low=difference - 0.02, high=difference + 0.02, resamples=10_000),
        ),
        timing=Timing(
            images=len(tests),
            median_seconds=0.0432,
            p95_seconds=0.0617,
            network_seconds=0.0381,
            decoding_seconds=0.0049,
            device="Example CPU 2.0 GHz",
            threads=2,
            peak_memory_training_bytes=2_684_354_560,
            peak_memory_inference_bytes=629_145_600,
        ),
        tiling=tiling(),
        inference=inference(),
        leakage=leakage(),
        registration=Registration(
            metric="dice",
            value=0.92,
            test_images=data_digest(file for file in files if file.split == "test"),
            recipe_sha256=recipe_digest(recipe()),
            registered="2026-03-14T08:40:00+00:00",
        ),
        environment=Environment(
            python="3.11.9",
            platform="Linux 6.1 x86_64",
            cpu="Example CPU 2.0 GHz",
            cores=2,
            memory_bytes=16 * 2**30,
            packages={"torch": "2.15.0", "numpy": "2.4.6", "pytorch-lightning": "2.6.0"},
            git_commit="0123456789abcdef0123456789abcdef01234567",
            git_dirty=False,
        ),
        warnings=["The validation Dice of the last 8 epochs did not rise."],
        exports=[
            ExportCheck(
                artifact="huggingface/model.safetensors",
                format="safetensors",
                loaded_by="finetune 0.1.0",
                images=len(tests),
                dice=after.summary["dice"].mean,
                trained_dice=after.summary["dice"].mean,
                equal=True,
                tolerance=1e-4,
            ),
            ExportCheck(
                artifact="bioimageio/unet_nuclei.zip",
                format="torchscript",
                loaded_by="bioimageio.core 0.11.0",
                images=len(tests),
                dice=after.summary["dice"].mean,
                trained_dice=after.summary["dice"].mean,
                equal=True,
                tolerance=1e-4,
            ),
        ],
        runtimes=runtimes(),
        files=[
            File(path="huggingface/model.safetensors", sha256=sha256("safetensors"), bytes=17_612_345),
            File(path="bioimageio/unet_nuclei.zip", sha256=sha256("zip"), bytes=52_000_111),
            File(path="scores.csv", sha256=sha256("scores"), bytes=4_096),
        ],
    )


def sparse() -> RunRecord:
    """A run from random weights on images of unknown origin, of which nothing was measured."""
    return RunRecord(
        name="quick",
        created="2026-03-14T09:26:53+00:00",
        finetune_version="0.1.0",
        recipe={"model": {"repository": "wipp", "id": "unet"}},
        card=Card(title="Quick", description="A first try."),
        model=Model(
            base=Origin(repository="wipp", id="unet", weights="random"),
            architecture=NetworkSpec(repository="wipp", name="unet"),
            target=TargetSpec(
                name="boundary", labels="boundary", map_names=["boundary"], exported_axes="bcyx"
            ),
            normalize=Spec(name="zero_mean_unit_variance"),
            channels=3,
            maps=1,
            divisor=8,
            parameters=1_000,
            trainable=10,
        ),
        data=Data(
            id="tiles",
            labels="boundary",
            split_by="fractions, seed 0",
            files=[data_file("a", "train"), data_file("b", "validation")],
        ),
        training=Training(
            epochs_planned=1,
            epochs=1,
            steps=1,
            images_seen=1,
            batch_size=1,
            patch=64,
            optimizer="AdamW",
            learning_rate=0.001,
            schedule="constant",
            weight_decay=0.0,
            loss="binary cross-entropy",
            augmentation="none",
            precision="32-true",
            seed=0,
            seconds=2.5,
        ),
        metrics=describe_metrics(),
        environment=Environment(
            python="3.11.9", platform="Linux", cpu="Example CPU", cores=1, memory_bytes=None, packages={}
        ),
    )


def prompted() -> RunRecord:
    """A run with prompts: asked before and after, and labeled without prompts afterwards."""
    record = full()
    images = [
        PromptImage(image="test_0", instances=10, before=0.25, after=0.5),
        PromptImage(image="test_1", instances=12, before=0.75, after=1.0),
    ]
    score = PromptScore(
        kind="point",
        images=images,
        before=Summary(mean=0.5, std=0.25, median=0.5),
        after=Summary(mean=0.75, std=0.25, median=0.75),
    )
    box = score.model_copy(update={"kind": "box", "before": None})
    record.name = "sam2_prompts"
    record.prompts = [score, box]
    record.task = "interactive"
    record.model.target = TargetSpec(
        name="prompts", options={"corrections": 3, "instances": 16}, labels="instances"
    )
    record.training.history = [Epoch(epoch=1, loss=12.5, validation_iou=0.625)]
    record.accuracy.before = record.accuracy.change = None
    record.accuracy.labeled_by = "SAM2AutomaticMaskGenerator"
    return record
