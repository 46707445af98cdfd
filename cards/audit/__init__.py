"""Audit of a model: claims of its card, each compared with evidence. Imports no deep-learning framework."""
