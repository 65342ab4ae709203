"""Evaluations inside the server: question sets put to a knowledge base, durably and one after the other."""
