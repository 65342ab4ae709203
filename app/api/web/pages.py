"""All pages behind the sign-in, and the files they need."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.web import (
    adapter_pages,
    ask_pages,
    base_pages,
    document_pages,
    evaluation_pages,
    finetune_pages,
    job_pages,
    operation_pages,
    review_pages,
    static,
)

router = APIRouter()
parts = (
    static,
    base_pages,
    ask_pages,
    document_pages,
    evaluation_pages,
    review_pages,
    adapter_pages,
    finetune_pages,
    job_pages,
    operation_pages,
)
for part in parts:
    router.include_router(part.router)
