"""A run, from recipe to exported model and cards."""
