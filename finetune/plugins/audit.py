"""The plugin that compares the claims of a model card with the evidence."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields

from cards.errors import InputError
from finetune.plugins.definition import Input, Job, Output, Plugin
from finetune.plugins.inference import FILE_PATTERN, IMAGES, MODEL, OPTIONS
from finetune.plugins.sources import Commands, from_command
from finetune.plugins.training_data import SPLITS, link_data

NAME = "audit"
OUTPUT = "claims"


def audit_plugin(commands: Commands) -> Plugin:
    """Define the plugin.

    Args:
        commands: commands of finetune by name.

    Returns:
        The plugin.
    """
    recompute = from_command(
        commands["audit"], "recompute", name="recompute", label="Run the model again", section=OPTIONS
    )
    return Plugin(
        name=NAME,
        title="Audit of a fine-tuned model",
        description="Compares every claim of a model card with the files, images and results of a model.",
        inputs=(
            Input("modelDir", "model", "Model", "A model that finetune trained.", MODEL, required=True),
            Input("imageDir", "collection", "Training images", "To compare them with the record.", IMAGES),
            Input("maskDir", "collection", "Training masks", "Label images of the training images.", IMAGES),
            Input(
                "testImageDir",
                "collection",
                "Test images",
                "To compare them with the record, and to measure the accuracy again.",
                IMAGES,
            ),
            Input("testMaskDir", "collection", "Test masks", "Label images of the test images.", IMAGES),
            FILE_PATTERN,
            recompute,
            Input(
                "failOnBroken",
                "flag",
                "Stop the workflow at a broken claim",
                "YES: the job fails if a claim is broken. NO: the result is in the table only.",
                OPTIONS,
                default=False,
            ),
        ),
        outputs=(Output(OUTPUT, "table", "Claims", "claims.csv: one row per claim."),),
        run=audit_model,
        memory=4096,
        operations=("audit",),
        extras=("all",),
    )


def audit_model(job: Job) -> None:
    """Audit a model and write one row per claim.

    Args:
        job: the execution of the plugin.

    Raises:
        InputError: if there is no model, or images are given without masks.
        BrokenClaim: if a claim is broken and that is to fail the job.
    """
    from cards.audit.claims import Claim
    from cards.audit.report import summary
    from cards.scores import csv_text
    from finetune.pipeline.audit import audit

    values = job.values
    given = any(values[name] is not None for names in SPLITS.values() for name in names)
    if values["recompute"] and not given:
        raise InputError("--recompute: needs images; set --testImageDir and --testMaskDir")
    data = link_data(values, values["filePattern"], job.scratch / "images") if given else None
    claims = audit(values["modelDir"], data=data, recompute=values["recompute"])
    out = job.outputs[OUTPUT]
    out.mkdir()
    with (out / "claims.csv").open("x", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow([one.name for one in fields(Claim)])
        for claim in claims:
            rows.writerow([csv_text(str(text)) for text in asdict(claim).values()])
    job.log(summary(claims))
    broken = [claim for claim in claims if claim.verdict == "broken"]
    if broken and values["failOnBroken"]:
        for claim in broken:  # the table is deleted with the other outputs of a failed job
            job.log(f"broken: {claim.statement} {claim.evidence}")
        raise BrokenClaim(broken[0].statement)


class BrokenClaim(Exception):
    """A claim is broken, and the user asked for a failure in that case."""
