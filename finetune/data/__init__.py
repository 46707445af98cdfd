"""Images with labels: found, checked, read, normalised, augmented and dealt out in batches."""
