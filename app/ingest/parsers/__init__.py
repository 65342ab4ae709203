"""One file a format: each turns a stored file into pages, or says in a typed error why it cannot."""
