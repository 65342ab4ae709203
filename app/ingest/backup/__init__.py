"""Copies of all that a server knows, written while it runs and restored into an empty data folder."""
