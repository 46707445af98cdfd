"""The commands from which the plugins take their parameters."""

from __future__ import annotations

from collections.abc import Callable

from finetune.cli.audit import audit
from finetune.cli.evaluate import evaluate
from finetune.cli.predict import predict

COMMANDS: dict[str, Callable[..., None]] = {"predict": predict, "evaluate": evaluate, "audit": audit}
