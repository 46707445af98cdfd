"""Injected faults: every module registers the faults of one kind; `benchmarks/faults.py` runs them."""
