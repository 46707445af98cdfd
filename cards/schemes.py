"""Model card schemes, and where our card states what they ask for.

Places are headings or labels of the card (`cards/templates/card.md.j2`), or items of its table of missing
information, which names the recipe key that supplies each. A test walks through the template that the
installed `huggingface_hub` ships.
"""

from __future__ import annotations

from dataclasses import dataclass

HUB_TEMPLATE: dict[str, str] = {
    "Model Details": "## Model details",
    "Model Description": "## Model details",
    "Developed by": "Authors",
    "Funded by": "Funding",
    "Shared by": "Authors",  # the authors publish the model
    "Model type": "Model type",
    "Language(s) (NLP)": "Input",  # images: the kind of input takes the place of a language
    "License": "## License",
    "Finetuned from model": "Base model",
    "Model Sources": "## Provenance",
    "Repository": "Repository",
    "Paper": "Paper",
    "Demo": "Demo",
    "Uses": "## Intended use",
    "Direct Use": "Intended use",
    "Downstream Use": "Further fine-tuning",
    "Out-of-Scope Use": "Out of scope",
    "Bias, Risks, and Limitations": "## Limitations",
    "Recommendations": "Recommendation",
    "How to Get Started with the Model": "## How to use",
    "Training Details": "## Training",
    "Training Data": "## Data",
    "Training Procedure": "## Training",
    "Preprocessing": "Normalization",
    "Training Hyperparameters": "Learning rate",
    "Training regime": "Precision",
    "Speeds, Sizes, Times": "Throughput",
    "Evaluation": "## Results",
    "Testing Data, Factors & Metrics": "## Results",
    "Testing Data": "Test images",
    "Factors": "### Independence of the test images",
    "Metrics": "Dice",
    "Results": "## Results",
    "Summary": "Before",  # the table below the title
    "Model Examination": "## Results",  # test images with the lowest Dice, with pictures
    "Environmental Impact": "## Environmental impact",
    "Hardware Type": "Hardware",
    "Hours used": "Training time",
    "Cloud Provider": "Energy",  # codecarbon states provider and region with the energy
    "Compute Region": "Energy",
    "Carbon Emitted": "CO₂ equivalent",
    "Technical Specifications": "## Training",
    "Model Architecture and Objective": "Network",
    "Compute Infrastructure": "Machine",
    "Hardware": "Machine",
    "Software": "Packages",
    "Citation": "## Citation",
    "BibTeX": "## Citation",
    "APA": "## Citation",
    "Glossary": "## Results",  # the definitions of the metrics
    "More Information": "## Provenance",
    "Model Card Authors": "Card",  # finetune, from the record
    "Model Card Contact": "Contact",
}
"""Headings and items of `templates/modelcard_template.md` in huggingface_hub 1.x, to places on our card."""


@dataclass(frozen=True)
class CoreField:
    """A field that every scheme has, under its own name.

    Attributes:
        name: our name of the field.
        place: heading or label on our card.
        mitchell: section of Mitchell et al. 2019, "Model Cards for Model Reporting",
            doi:10.1145/3287560.3287596.
        hub: heading or item of the Hub's template.
        bioimageio: field of `bioimageio.spec.model.v0_5.ModelDescr`.
        cyclonedx: field of a component or its `modelCard` in CycloneDX 1.6.
    """

    name: str
    place: str
    mitchell: str
    hub: str
    bioimageio: str
    cyclonedx: str


CORE_FIELDS = (
    CoreField("name and version", "Version", "Model Details", "Model Details", "name", "version"),
    CoreField("authors", "Authors", "Model Details", "Developed by", "authors", "authors"),
    CoreField("license", "License", "Model Details", "License", "license", "licenses"),
    CoreField("base model", "Base model", "Model Details", "Finetuned from model", "parent", "pedigree"),
    CoreField("intended use", "Intended use", "Intended Use", "Direct Use", "description", "useCases"),
    CoreField(
        "limitations",
        "## Limitations",
        "Caveats and Recommendations",
        "Bias, Risks, and Limitations",
        "config",
        "technicalLimitations",
    ),
    CoreField("training data", "## Data", "Training Data", "Training Data", "training_data", "datasets"),
    CoreField("evaluation", "## Results", "Quantitative Analyses", "Results", "config", "performanceMetrics"),
)
"""The eight fields that all four schemes have. Our card always shows them, "not stated" if need be."""
