"""What a run did and measured, and its renderings. Knows nothing of torch."""
