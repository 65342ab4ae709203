"""manualqa: answers questions about product manuals from the manuals alone, with the page as proof."""

__version__ = "0.1.0"
