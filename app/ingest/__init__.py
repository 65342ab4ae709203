"""From an uploaded file to a searchable document."""
