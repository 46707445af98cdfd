"""Files by which training and other processes communicate; this module imports nothing that takes long."""

from __future__ import annotations

from finetune.utils.atomic import PREFIX

FINISHED = "finished.json"
"""In `checkpoints/`: the history of a completed training."""

STOP = f"{PREFIX}stop"
"""In the folder of an unfinished run: training ends after the current epoch."""
