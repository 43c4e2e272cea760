"""Views: a trace (or two, or the metrics of a run) in, a figure out."""
