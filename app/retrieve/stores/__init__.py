"""Vector stores, one file a back end."""
