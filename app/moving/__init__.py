"""A whole set-up moved to other parts, or back, without an embedding computed anew, and compared afterwards."""
