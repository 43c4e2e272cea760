"""Measurements, not tests: each `bench_*.py` has `run() -> dict` of ratios and times, side by side."""
