"""Widgets that draw figure parts, one a file: each takes a `part` and posts what was done to it."""
