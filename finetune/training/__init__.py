"""Training: Lightning module, trainer and callbacks."""
