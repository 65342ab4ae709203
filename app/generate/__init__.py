"""From hits to a checked, cited answer."""
