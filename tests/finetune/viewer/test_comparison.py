import examples

from finetune.viewer.comparison import differences, learning_curve, paired_accuracy, paired_scores, unpaired


def test_differences_hold_a_column_for_each_run_and_repeat_what_is_equal():
    first = examples.full()
    longer = first.model_copy(deep=True)
    longer.recipe["training"] = {**longer.recipe["training"], "epochs": 77}
    rows = differences({"a": first, "b": longer, "c": first})
    (row,) = [one for one in rows if one["Item"] == "training.epochs"]
    assert row["b"] == "77"
    assert row["a"] == row["c"] != "77"


def test_accuracy_is_paired_per_image():
    first = examples.full()
    second = first.model_copy(deep=True)
    assert second.accuracy is not None
    for score in second.accuracy.after.scores:
        score.metrics["dice"] = max(0.0, score.metrics["dice"] - 0.1)
    dice = paired_accuracy({"a": first, "b": second})[0]
    assert (dice["Run"], dice["Metric"]) == ("b", "Dice")
    assert dice["Change"] == "−0.1000"
    assert dice["95 % interval"] == "−0.1000 to −0.1000"
    assert dice["Higher / lower"] == f"0 / {first.accuracy.images}"  # type: ignore[union-attr]
    assert all(round(row["change"], 9) == -0.1 for row in paired_scores({"a": first, "b": second}))


def test_runs_without_images_in_common_are_named():
    first = examples.full()
    second = first.model_copy(deep=True)
    for file in second.data.files:
        file.image_pixels = "0" * 64
    assert unpaired({"a": first, "b": second, "c": first}) == ["b"]
    assert paired_accuracy({"a": first, "b": second}) == []


def test_a_curve_leaves_out_epochs_without_validation():
    record = examples.full()
    curve = learning_curve(record)
    measured = [one for one in record.training.history if one.validation_dice is not None]
    assert curve["validated"] == [one.epoch for one in measured]
    assert curve["validation"] == [one.validation_dice for one in measured]
    assert len(curve["loss"]) == len(record.training.history)
