"""Poisoned manuals: invented ones with an order to the model in them, seen by readers or hidden from them."""
