"""Limits on the numbers that the description of a model may declare."""

MAX_CHANNELS = 1024
MAX_SIDE = 16384  # pixels
