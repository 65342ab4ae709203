"""Evaluation of retrieval and answers on labelled questions."""
