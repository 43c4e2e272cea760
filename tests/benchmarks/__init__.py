"""Measurements, not tests: each `bench_*.py` has `run() -> dict` of ratios and times, taken side by side in one run."""
