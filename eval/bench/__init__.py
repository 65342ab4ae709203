"""Benchmarks of the service on labelled manuals; each measures one thing and gives rows of figures."""
