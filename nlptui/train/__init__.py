"""Training in the background: the recipe, the run directory, the worker process, the loop.

`recipe`, `run` and `client` load no torch; front ends use `client` only.
"""
