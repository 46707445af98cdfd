"""How a published model is loaded, in one line of Python per package."""

from __future__ import annotations

from cards.audit.packages import HUB_PACKAGE
from cards.publish.base import Publication
from cards.publish.contents import HUB_DESCRIPTION, NATIVE


def loading(publication: Publication, repo_id: str, version: str) -> str:
    """Name all calls that load a model from its repository.

    Args:
        publication: the model.
        repo_id: "user/name".
        version: such as "1.0.0".

    Returns:
        The calls, separated by "or".
    """
    paths = {item.path for item in publication.items}
    calls = [f'finetune.load("{repo_id}@{version}")']
    if f"{HUB_PACKAGE}/{HUB_DESCRIPTION}" in paths:
        calls.append(f'bioimageio.spec.load_description("huggingface/{repo_id}/{version}")')
    if {f"{NATIVE}/config.json", f"{NATIVE}/model.safetensors"} <= paths:
        calls.append(f'from_pretrained("{repo_id}", subfolder="{NATIVE}") of transformers')
    if f"{NATIVE}/adapter/adapter_config.json" in paths:
        calls.append(f'PeftModel.from_pretrained(base, "{repo_id}", subfolder="{NATIVE}/adapter")')
    return " or ".join(calls)
