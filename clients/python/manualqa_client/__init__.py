"""A typed client of manualqa's REST API."""

from manualqa_client.client import ApiError, JobFailed, Manualqa
from manualqa_client.models import (
    Answer,
    BatchItem,
    Chunk,
    Citation,
    Document,
    Hit,
    Job,
    KnowledgeBase,
    KnowledgeBaseSettings,
    Problem,
    Scores,
    SearchResult,
    Sentence,
    Timings,
    Upload,
)

__all__ = [
    "Answer",
    "ApiError",
    "BatchItem",
    "Chunk",
    "Citation",
    "Document",
    "Hit",
    "Job",
    "JobFailed",
    "KnowledgeBase",
    "KnowledgeBaseSettings",
    "Manualqa",
    "Problem",
    "Scores",
    "SearchResult",
    "Sentence",
    "Timings",
    "Upload",
]
