"""Repositories: where networks come from."""
