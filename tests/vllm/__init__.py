"""The web pages in a real browser, against the real server and embedder and a scripted model."""
