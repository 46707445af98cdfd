"""What a record states about each metric: a card needs neither the code nor the plug-in that computed it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cards.base import RecordModel

PRIMARY = "dice"
"""The metric that ranks images, and whose paired change and histogram a card shows."""


class MetricDescription(RecordModel):
    """Name and meaning of a metric. `finetune.metrics.registry` describes the metrics of a run."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="column of scores.csv and type in a model-index"
    )
    label: str = Field(description="name in tables, e.g. 'AP50'")
    meaning: str = Field(description="formula or definition in one line")
    compares: Literal["pixels", "instances"] = Field(description="what prediction and reference are made of")
    headline: bool = Field(True, description="whether summaries and the Hugging Face metadata show it")
    higher_is_better: bool = True
    minimum: float | None = Field(0.0, description="lower end of the range; None if there is none")
    maximum: float | None = Field(1.0, description="upper end of the range; None if there is none")

    def definition(self) -> str:
        """State what the metric means, and its direction unless higher is better.

        Returns:
            One line.
        """
        return self.meaning if self.higher_is_better else f"{self.meaning}; lower is better"
