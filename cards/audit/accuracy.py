"""Family "accuracy": the scores belong to the test images, agree with each other, and are found again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from cards.audit.claims import Claim, Prediction, Subject, joined, record_of, sentence
from cards.errors import InputError
from cards.formatting import counted
from cards.metrics import PRIMARY
from cards.precision import BY_RECIPE, precision_problem
from cards.record import RunRecord
from cards.scores import Accuracy, ImageScore, Stage

FAMILY = "accuracy"
RESTORE = "Restore the record that the run wrote."
ROUNDING = 1e-6

TOLERANCE = 1e-3
"""Largest difference of the Dice of one image. On the processor and with the versions of the run, the
difference is 0. Another processor or version sums float32 in another order, which moves a few pixels across a
threshold: in an image of 256 × 256 pixels with a quarter of foreground, one pixel changes Dice by 3e-5. Other
weights or thresholds change the first digits. `finetune.export.verification` uses the same tolerance."""
INSTANCES = 2
"""Instances of one image that may be matched differently if pixels moved: metrics of instances are fractions
of their number, so that a single instance changes them visibly."""
WIDTH = 0.05  # of a bootstrap interval, by which its limits may differ between versions of numpy


def check(subject: Subject) -> list[Claim]:
    """Check the scores of a model.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    claims = [
        _images(record),
        _change(record),
        _best_epoch(record),
        _precision(record),
        _timing(record),
        _exports(record),
    ]
    return [*claims, *_recomputed(subject, record)]


def _claim(statement: str, problems: Sequence[str], evidence: str) -> Claim:
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", evidence)


def _images(record: RunRecord) -> Claim:
    statement = "Every test image was scored once, and no other image."
    accuracy, tests = record.accuracy, {file.name for file in record.data.files if file.split == "test"}
    problems: list[str] = []
    if accuracy and accuracy.split != "test":
        problems.append(f"accuracy was measured on {accuracy.split} images")
    if tests and accuracy is None and record.task == "automatic":
        problems.append(f"there are {counted(len(tests), 'test image')}, and no accuracy")
    for name, images in _scored(record):
        counts = Counter(images)
        problems += [
            f"{name}: {image} was scored {count} times" for image, count in counts.items() if count > 1
        ]
        problems += [f"{name}: {image} is not a test image" for image in sorted(counts.keys() - tests)]
        # An interactive run labels only some of its test images without prompts.
        if record.task == "automatic" or name.startswith("prompts"):
            problems += [
                f"{name}: {image} was not scored" for image in sorted(_expected(record, name) - counts.keys())
            ]
    if accuracy and accuracy.images != len(accuracy.after.scores):
        problems.append(
            f"accuracy.images is {accuracy.images}, there are {len(accuracy.after.scores)} scores"
        )
    return _claim(statement, problems, f"{counted(len(tests), 'test image')}.")


def _expected(record: RunRecord, name: str) -> set[str]:
    """Names of the test images to score; an image without instances cannot be prompted for."""
    prompted = name.startswith("prompts")
    files = (file for file in record.data.files if file.split == "test")
    return {file.name for file in files if file.instances or not prompted}


def _scored(record: RunRecord) -> Iterator[tuple[str, list[str]]]:
    if record.accuracy:
        for name, stage in (("before", record.accuracy.before), ("after", record.accuracy.after)):
            if stage:
                yield name, [score.image for score in stage.scores]
    for prompt in record.prompts:
        yield f"prompts, {prompt.kind}", [image.image for image in prompt.images]


def _change(record: RunRecord) -> Claim:
    """Compute the bootstrap interval of the paired change again, as `finetune.metrics.summary` does."""
    statement = "The change of Dice and its interval follow from the scores before and after training."
    accuracy = record.accuracy
    if accuracy is None or accuracy.before is None:
        problems = ["a change without scores before training"] if accuracy and accuracy.change else []
        return _claim(statement, problems, "There are no scores before training.")
    before, after = _dice(accuracy.before), _dice(accuracy.after)
    if before.keys() != after.keys():
        return _claim(statement, ["before and after are not of the same images"], "")
    stated = accuracy.change
    if stated is None:
        problems = [] if len(before) < 2 else ["accuracy.change is missing"]
        return _claim(statement, problems, "A single image has no interval.")
    differences = np.array([after[image] - before[image] for image in sorted(before)])
    low, high = _interval(differences, stated.resamples, stated.confidence)
    allowed = ROUNDING + WIDTH * (high - low)
    expected = {"mean": (float(differences.mean()), ROUNDING), "low": (low, allowed), "high": (high, allowed)}
    problems = [
        f"accuracy.change.{name} is {getattr(stated, name):.6f}, the scores give {value:.6f}"
        for name, (value, tolerance) in expected.items()
        if abs(getattr(stated, name) - value) > tolerance
    ]
    return _claim(statement, problems, f"Mean {differences.mean():.4f}, interval {low:.4f} to {high:.4f}.")


def _dice(stage: Stage) -> dict[str, float]:
    return {score.image: score.metrics[PRIMARY] for score in stage.scores if PRIMARY in score.metrics}


def _interval(differences: np.ndarray, resamples: int, confidence: float) -> tuple[float, float]:
    """Percentile interval of the mean, with the random numbers that scipy.stats.bootstrap draws."""
    rng, count, means = np.random.default_rng(0), len(differences), []
    resamples = max(1, min(resamples, 100_000))
    for start in range(0, resamples, 1000):
        drawn = rng.integers(0, count, (min(1000, resamples - start), count))
        means.append(differences[drawn].mean(axis=1))
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low), float(high)


def _best_epoch(record: RunRecord) -> Claim:
    statement = "The weights are those of the epoch with the highest validation score."
    how = record.training
    scores = {epoch.epoch: epoch.validation for epoch in how.history}
    measured = {epoch: score for epoch, score in scores.items() if score is not None}
    problems: list[str] = []
    if len(scores) != len(how.history):
        problems.append("the history repeats an epoch")
    if not measured:
        return _claim(statement, problems, "No validation score was measured.")
    best = max(measured, key=lambda epoch: measured[epoch])
    if how.best_epoch is None or measured.get(how.best_epoch, -1.0) < measured[best]:
        problems.append(f"training.best_epoch is {how.best_epoch}, epoch {best} scored {measured[best]:.4f}")
    return _claim(statement, problems, f"Epoch {how.best_epoch}, {measured[best]:.4f}.")


def _precision(record: RunRecord) -> Claim:
    statement = "The precision of inference follows from the comparison on the validation images."
    chosen = record.inference
    if chosen is None or chosen.precision == "float32":
        return _claim(statement, [], "The model predicts in float32.")
    if chosen.reason == BY_RECIPE:
        stated = record.recipe_section("compute").get("inference")
        problems = [] if stated == chosen.precision else [f"the recipe states compute.inference={stated}"]
        return _claim(statement, problems, "The recipe sets it.")
    problem, images = precision_problem(chosen), record.data.count("validation")
    problems = [problem] if problem else []
    if chosen.images != images:
        problems.append(f"{counted(chosen.images, 'image')} compared, there are {images} validation images")
    return _claim(statement, problems, f"{counted(images, 'validation image')} compared.")


def _timing(record: RunRecord) -> Claim:
    statement = "The time per image follows from the times of the test images."
    accuracy, timing = record.accuracy, record.timing
    if timing is None or accuracy is None:
        return _claim(statement, [], "The time per image was not measured.")
    seconds = [score.seconds for score in accuracy.after.scores]
    expected = {"median_seconds": np.median(seconds), "p95_seconds": np.percentile(seconds, 95)}
    problems = [
        f"timing.{name} is {getattr(timing, name):.6f} s, the scores give {float(value):.6f} s"
        for name, value in expected.items()
        if abs(getattr(timing, name) - float(value)) > ROUNDING
    ]
    if timing.images != len(seconds):
        problems.append(f"timing.images is {timing.images}, there are {len(seconds)} times")
    if timing.network_seconds is not None and timing.network_seconds > max(seconds):
        problems.append("timing.network_seconds is longer than that of any image")
    if timing.decoding_seconds is not None and timing.decoding_seconds > max(seconds):
        problems.append("timing.decoding_seconds is longer than that of any image")
    return _claim(
        statement, problems, f"Median of {counted(len(seconds), 'image')}: {np.median(seconds):.4g} s."
    )


def _exports(record: RunRecord) -> Claim:
    """Compare the export checks with the scores.

    Safetensors files were re-scored on the first test images, uncropped: their Dice follows from the scores.
    """
    statement = "The verified files were scored on the test images with the recorded result."
    problems = []
    scores = record.accuracy.after.scores if record.accuracy else []
    for check in record.exports:
        whole = record.task == "automatic" and check.format == "safetensors"
        if whole and 0 < check.images <= len(scores):
            mean = float(np.mean([score.metrics[PRIMARY] for score in scores[: check.images]]))
            if abs(mean - check.trained_dice) > TOLERANCE:
                problems.append(
                    f"{check.artifact}: Dice of the trained model {check.trained_dice:.4f}, scores {mean:.4f}"
                )
        if check.equal and abs(check.dice - check.trained_dice) > check.tolerance:
            problems.append(
                f"{check.artifact} ({check.format}): {check.dice:.4f}, trained {check.trained_dice:.4f}"
            )
    return _claim(statement, problems, f"{counted(len(record.exports), 'verification')} compared.")


def _recomputed(subject: Subject, record: RunRecord) -> Iterator[Claim]:
    statement = "Running the model again on the test images gives the recorded scores."
    accuracy = record.accuracy
    if accuracy is None:
        yield Claim(FAMILY, statement, "holds", "No accuracy is stated.")
        return
    if subject.tools.recompute is None or subject.data is None:
        evidence, remedy = "The model was not run.", "Audit with --recompute, and --data with the images."
        yield Claim(FAMILY, statement, "cannot tell", evidence, remedy)
        return
    try:
        found = {one.image: one for one in subject.tools.recompute(subject.folder, subject.data, record)}
    except InputError as error:
        remedy = "Restore the model, or give the folder with the images of the run."
        yield Claim(FAMILY, statement, "cannot tell", sentence(error), remedy)
        return
    yield _scores(statement, record, accuracy, found)
    yield _times(accuracy, found)


def _scores(statement: str, record: RunRecord, accuracy: Accuracy, found: dict[str, Prediction]) -> Claim:
    instances = {file.name: file.instances for file in record.data.files if file.split == accuracy.split}
    problems, largest = [], 0.0
    for score in accuracy.after.scores:
        if (prediction := found.get(score.image)) is None:
            problems.append(f"{score.image} could not be predicted")
            continue
        largest = max(largest, abs(prediction.metrics[PRIMARY] - score.metrics[PRIMARY]))
        problems += _differences(score, prediction, instances.get(score.image, 0))
    if problems:
        remedy = "The model, the images or the scores were changed; restore them."
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    evidence = (
        f"{counted(len(accuracy.after.scores), 'image')}; largest difference of Dice {largest:.2g}, "
        f"tolerance {TOLERANCE} for each image."
    )
    return Claim(FAMILY, statement, "holds", evidence)


def _differences(score: ImageScore, found: Prediction, instances: int) -> Iterator[str]:
    """Metrics of one image that differ by more than their tolerance."""
    moved = abs(found.metrics[PRIMARY] - score.metrics[PRIMARY]) > ROUNDING
    for name, value in score.metrics.items():
        if name == PRIMARY:
            allowed = TOLERANCE
        else:  # without a moved pixel, instances are the same
            allowed = max(TOLERANCE, INSTANCES / max(1, instances)) if moved else ROUNDING
        again = found.metrics.get(name)
        if again is None:
            yield f"{score.image}: {name} was not computed"
        elif abs(again - value) > allowed:
            yield f"{score.image}: {name} is {again:.4f}, recorded {value:.4f}"
    for name in sorted(found.metrics.keys() - score.metrics.keys()):
        yield f"{score.image}: {name} is {found.metrics[name]:.4f}, not recorded"


def _times(accuracy: Accuracy, found: dict[str, Prediction]) -> Claim:
    """Hardware differs: a ratio is evidence, not a claim."""
    statement = "The time per image was measured again; it depends on the hardware and breaks no claim."
    recorded = np.median([score.seconds for score in accuracy.after.scores])
    again = np.median([prediction.seconds for prediction in found.values()]) if found else recorded
    ratio = float(again / recorded) if recorded > 0 else 1.0
    return Claim(FAMILY, statement, "holds", f"{ratio:.2f} times the recorded median.")
