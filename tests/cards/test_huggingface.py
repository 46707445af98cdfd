from __future__ import annotations

import re
import subprocess
import sys

import examples
import pytest
import yaml
from example_parts import HOSTILE

from cards import huggingface, result_tables, tables
from cards.bioimageio import render_documentation
from cards.huggingface import PICTURES
from cards.record import RunRecord, TargetSpec


def front(text):
    return yaml.safe_load(text.split("---\n", 2)[1])


def test_golden_card(either, golden):
    golden(f"{either.name}/README.md", huggingface.render(either, PICTURES))


def test_golden_documentation(either, golden):
    golden(f"{either.name}/documentation.md", render_documentation(either))


def test_every_figure_of_the_record_is_on_the_card(full):
    text = huggingface.render_body(full)
    for stage in (full.accuracy.before, full.accuracy.after):
        for summary in stage.summary.values():
            assert result_tables.spread(summary) in text
            assert f"{summary.median:.4f}" in text
        for name in full.accuracy.after.worst:
            assert f"`{name}`" in text
    for words in (
        "4,396,577, all trained", "40 of 60 planned, stopped early", "| Selected epoch | 32 |",
        "| Score of the selected epoch | validation Dice ",
        "| Weight averaging | exponential moving average (decay 0.995) |", "| Gradient clipping | norm 1 |",
        "| 200 |", "1,600", "256 × 256 px", "AdamW", "0.0003", "cosine", "| 0.01 |", "cross-entropy + Dice",
        "8 symmetries", "bf16-mixed", "22 min 5 s", "1.21 patches per second", "| Resumed | once |",
        "43.2 ms", "61.7 ms", "38.1 ms", "4.9 ms", "2.50 GiB", "600.0 MiB", "16.00 GiB",
        "10,000 bootstrap resamples", "95% confidence interval", "CC0-1.0", "Example CPU 2.0 GHz, 2 threads",
        "0123456789ab", full.data.digest(), full.model.base.sha256, "pytorch-lightning | 2.6.0",
        "learning_rate: 0.0003", "within 0.0001", "doi:10.1038/s41592-019-0612-7", *full.warnings,
        *full.card.limits, *(author.name for author in full.card.authors), full.card.intended_use,
        *(file.sha256 for file in tables.weights(full)),
    ):  # fmt: skip
        assert words in text, words


def test_what_is_missing_is_said_and_never_blank(sparse):
    text = huggingface.render_body(sparse)
    assert not re.search(r"\b(None|nan|inf|null|undefined)\b", text)
    assert not re.search(r"\|[ \t]*\|", text)
    assert text.count("not measured") > 10
    assert "| License | not stated |" in text
    assert "Not stated." in text


def test_before_training_there_is_no_number(full):
    full.model.base.weights = "random"
    full.accuracy.before = full.accuracy.change = None
    text = huggingface.render_body(full)
    assert "| Dice | untrained | " in text
    assert "**Change in Dice:** not applicable, because the network was not trained before." in text


def test_a_network_with_weights_in_a_part_of_it_fills_no_table_with_that(full):
    full.accuracy.before = full.accuracy.change = None
    full.accuracy.before_note = "not measured, because only part of the initial weights was pretrained"
    text = huggingface.render_body(full)
    assert "| Dice | not measured | " in text
    assert text.count("only part of the initial weights was pretrained") == 1


def test_pictures_are_shown_where_they_are(full):
    assert "pictures/" not in huggingface.render(full)
    text = huggingface.render(full, ["histogram.png", "example_worst.png"])
    assert re.findall(r"\(pictures/(.*?)\)", text) == ["histogram.png", "example_worst.png"]
    with pytest.raises(ValueError, match=r"no card shows other\.png"):
        huggingface.render(full, ["other.png"])


def test_a_record_read_back_gives_the_same_card(either, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(either.dumps(), encoding="utf-8")
    again = RunRecord.read(path)
    assert huggingface.render(again, PICTURES) == huggingface.render(either, PICTURES)
    assert render_documentation(again) == render_documentation(either)


def test_hostile_text_stays_text(full):
    full.card.title = full.card.description = full.data.id = full.name = HOSTILE
    full.card.tags, full.card.license, full.card.limits = (
        [HOSTILE],
        HOSTILE,
        [HOSTILE],
    )
    full.data.citation, full.warnings = (
        [HOSTILE, f"@misc{{x, title={HOSTILE}}}"],
        [HOSTILE],
    )
    full.recipe = {"note": f"```\n{HOSTILE}"}
    text = huggingface.render(full, PICTURES)
    data = front(text)
    assert data["model-index"][0]["name"].startswith("x: ] --- # Evil")
    assert data["pipeline_tag"] == "image-segmentation"
    assert "49" not in data["license_name"]
    assert "{{ 7*7 }}" in text.replace("\\", "")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Model details", "## Intended use", "## How to use", "## Data", "## Training", "## Results",
        "## Speed and memory", "## Environmental impact", "## Export verification", "## Limitations",
        "## License", "## Citation", "## Missing information", "## Provenance",
    ]  # fmt: skip


def test_warnings_and_unequal_exports_are_limits(full):
    full.exports[1].equal = False
    full.accuracy.change.low = -0.01
    limits = huggingface.render_body(full).split("## Limitations")[1].split("##")[0]
    assert "unet_nuclei.zip (torchscript) does not reproduce the trained model's Dice." in limits
    assert "The confidence interval of the change in Dice includes 0." in limits
    assert full.warnings[0] in limits


def test_a_failed_export_is_one_limitation_not_two(full):
    from finetune.export.verification import describe_differences

    full.exports[1].equal = False
    full.warnings += describe_differences(full.exports)
    limits = huggingface.render_body(full).split("## Limitations")[1].split("##")[0]
    assert limits.count("does not reproduce") == 1


def test_the_images_with_the_lowest_dice_show_the_metrics_of_the_record(full):
    full.metrics = [metric for metric in full.metrics if metric.name in ("dice", "ap75")]
    full.metrics[1].headline = True
    text = huggingface.render_body(full)
    assert "| Images with the lowest Dice | Dice before | Dice after | AP75 after |" in text
    assert "PQ" not in text


@pytest.mark.parametrize(
    ("split_by", "shown"),
    [
        ("train: given; validation: given; test: given", "given"),
        (
            "train: given; validation: 10% of train; test: given",
            "train and test: given; validation: 10% of train",
        ),
        ("by field; seed 0", None),
    ],
)
def test_a_split_made_in_one_way_is_described_once(full, split_by, shown):
    full.data.split_by = split_by
    assert f"| Split | {shown or split_by} |" in huggingface.render_body(full)


def test_package_tests_are_a_table_with_the_first_failure(full):
    text = huggingface.render_body(full)
    assert "| current | bioimageio.core 0.11.0, torch 2.15.0 | passed |" in text
    assert "| failed: test output differs in 12 of 8,192 values |" in text
    full.runtimes = []
    text = huggingface.render_body(full)
    assert "Test of the BioImage.IO package in other environments: not measured." in text
    assert "| Tests of the package in other environments | not measured |" in text


def test_a_part_of_a_base_model_is_said_to_be_one(full):
    full.model.base.part = "downsample (2 of 6 parameters)"
    full.model.base.terms = "Learned from data under CC-BY-NC."
    text = huggingface.render(full)
    base = full.model.base
    assert f"fine-tuned from {base.id} ({base.repository}), reusing {base.part}, on 40 images" in text
    assert f"pretrained, in part: {base.part}" in text
    assert base.terms in text.split("## Limitations")[1].split("## License")[0]
    assert base.part in render_documentation(full)


def test_cards_are_read_without_torch():
    code = (
        "import sys, cards.record, cards.huggingface, cards.report, cards.figures, cards.bioimageio\n"
        "import bioimageio.spec.model.v0_5\n"
        "heavy = {'torch', 'lightning', 'pytorch_lightning', 'finetune', 'matplotlib'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_card_of_prompts_says_what_each_kind_gives():
    record = examples.prompted()
    card = huggingface.render(record, PICTURES)
    assert "| Mean IoU ± SD over 2 test images (22 instances) | Before | After |" in card
    assert "| point | 0.5000 ± 0.2500 | 0.7500 ± 0.2500 |" in card
    assert "| box | not measured | 0.7500 ± 0.2500 |" in card
    assert card.count("| point |") == 2  # at the head, and under accuracy
    assert "Automatic segmentation without prompts, by SAM2AutomaticMaskGenerator" in card
    assert "model.masks(image, points=" in card
    assert "loss 12.5000; validation IoU 0.6250" in card
    results = {result.metric_type: result.metric_value for result in huggingface.evaluation(record)}
    assert results == {"iou_point": 0.75, "iou_point_std": 0.25, "iou_box": 0.75, "iou_box_std": 0.25}


def test_what_was_not_measured_with_prompts_is_said():
    record = examples.prompted()
    record.accuracy = None
    card = huggingface.render(record, PICTURES)
    assert "Automatic segmentation without prompts: not measured." in card
    assert "Accuracy without prompts was not measured." in card
    assert "there were no test images" not in card.lower()
    record.prompts = []
    assert "Accuracy was not measured: there were no test images." in huggingface.render(record, PICTURES)


def test_of_random_weights_nothing_was_there_to_ask_before():
    record = examples.prompted()
    record.model.base.weights = "random"
    assert "| box | untrained | 0.7500 ± 0.2500 |" in huggingface.render(record, PICTURES)


@pytest.mark.parametrize(
    ("axes", "labels", "words"),
    [
        ("bcyx", False, "# (batch, channels, height, width)\n"),
        ("bcyx", True, "# label image (batch, 1, height, width)\n"),
        ("byxc", True, "# label image (batch, height, width, 1)\n"),
    ],
)
def test_the_output_of_a_package_is_described_for_a_target_that_cards_do_not_know(full, axes, labels, words):
    full.model.target = TargetSpec(
        name="someone_elses", labels="instances", exports_labels=labels, exported_axes=axes
    )
    assert f'output = sample.members["output"].data  {words}' in huggingface.render(full)


def test_a_target_of_boundaries_is_described_as_one_whatever_its_name(full):
    full.model.target = TargetSpec(name="someone_elses", labels="boundary")
    assert "for boundary segmentation." in huggingface.render(full)
    assert "semantic-segmentation" in huggingface.metadata(full).tags
