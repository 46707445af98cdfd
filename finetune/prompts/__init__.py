"""Interactive segmentation: a network that answers prompts (points, boxes, corrections)."""
