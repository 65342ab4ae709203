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
    static,
)

router = APIRouter()
for part in (
    static,
    base_pages,
    ask_pages,
    document_pages,
    evaluation_pages,
    adapter_pages,
    finetune_pages,
    job_pages,
    operation_pages,
):
    router.include_router(part.router)
