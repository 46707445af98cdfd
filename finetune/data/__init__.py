"""Images with labels: found, checked, read, normalized, augmented and dealt out in batches."""
