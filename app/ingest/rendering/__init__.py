"""Pages of PDF files as people see them: their images, and where on them a text stands."""
