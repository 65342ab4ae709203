"""The SQL source of truth: knowledge bases, documents, pages, chunks, jobs and keys."""
