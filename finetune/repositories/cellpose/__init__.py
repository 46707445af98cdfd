"""Cellpose."""
