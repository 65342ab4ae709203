"""The web pages: what a person sees and clicks, over the same services and the same API."""
