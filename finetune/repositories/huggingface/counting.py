"""Number of models on the Hugging Face Hub."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from finetune.repositories import counts
from finetune.repositories.counts import Count, Row


def count_models() -> Row:
    """Ask the Hub how many models have the pipeline tag of each kind.

    Returns:
        Number of models by kind (the keys of `finetune.repositories.counts.KINDS`).

    Raises:
        InputError: if the Hub does not answer.
    """
    from finetune.downloads import hub

    with ThreadPoolExecutor() as pool:
        answers = {
            kind: pool.submit(hub.count_models, tag, counts.MAX_COUNT)
            for kind, (tag, _) in counts.KINDS.items()
        }
        return {kind: Count(*answer.result()) for kind, answer in answers.items()}
