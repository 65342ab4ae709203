"""Made-up requests to the whole API of a real server."""
