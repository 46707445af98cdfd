"""Card of an ensemble, written beside its label images: which models, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence

from cards.formatting import counted, mean_std
from finetune.pipeline.prediction_models import Member

NOT_MEASURED = "not measured"
NOT_RECORDED = "not recorded"


def render_card(members: Sequence[Member], *, symmetries: bool) -> str:
    """Render the card of an ensemble.

    Args:
        members: the models.
        symmetries: whether each prediction is averaged over rotations and reflections.

    Returns:
        Markdown.
    """
    names = [_escape(member.name) for member in members]
    records = [member.record for member in members]
    targets = {record.model.target.name for record in records if record}
    lines = [
        f"# Ensemble of {len(members)} models",
        "",
        f"The label images in this folder were predicted by {', '.join(names[:-1])} and {names[-1]}. The "
        "maps of the models are averaged before instances are separated; the options of the first model "
        "decode them.",
        "",
        "| model | base model | Dice on its test images | license | SHA-256 of the weights |",
        "|---|---|---|---|---|",
    ]
    for member, name in zip(members, names, strict=True):
        record = member.record
        base = _escape(record.model.base.id) if record else NOT_RECORDED
        license_id = member.license or NOT_RECORDED
        weights = f"`{member.weights_sha256}`" if member.weights_sha256 else NOT_RECORDED
        lines.append(f"| {name} | {base} | {_dice(member)} | {_escape(license_id)} | {weights} |")
    lines += [
        "",
        f"- Target: {', '.join(sorted(targets)) or NOT_RECORDED}",
        f"- Averaged over rotations and reflections: {'yes' if symmetries else 'no'}",
        f"- Accuracy of the ensemble: {NOT_MEASURED}. Compare its label images with a reference: "
        "`finetune evaluate LABELS REFERENCE`.",
        "- The licenses of all models apply to the ensemble.",
        "- Images, options and the comparison with the training images: `prediction.json`",
        "",
    ]
    return "\n".join(lines)


def _dice(member: Member) -> str:
    if member.accuracy is None:
        return NOT_MEASURED
    mean, std, images = member.accuracy
    return f"{mean_std(mean, std)} ({counted(images, 'image')})"


def _escape(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "|\\`*_[]<>#" else letter for letter in text)
