"""Routes of maintenance: does everything agree, and mend it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from app.api.deps import LanguageDep, ServicesDep, admin
from app.api.schemas import BackupOut, CheckedOut, CheckIn, CheckOut, FindingOut
from app.ingest.consistency import Disagreement, Finding
from app.types import Language

router = APIRouter(prefix="/v1/maintenance", tags=["maintenance"])

WORDING: Final[dict[Disagreement, tuple[str, str]]] = {
    Disagreement.FILE_MISSING: (
        "The original file of {name} is gone. Its answers stay; upload it again to have the file back.",
        "{name} 的原始文件丢失。问答不受影响；重新上传即可恢复文件。",
    ),
    Disagreement.FILE_DAMAGED: (
        "The original file of {name} has changed on the disk. Delete the document and upload it again.",
        "{name} 的原始文件在磁盘上已被改动。请删除该文档并重新上传。",
    ),
    Disagreement.FILE_UNUSED: ("{count} files that no document uses.", "{count} 个文件没有文档使用。"),
    Disagreement.PAGES_DISAGREE: ("Pages of {name} are missing; it is read again.", "{name} 缺少页面，需重新读取。"),
    Disagreement.CHUNKS_DISAGREE: (
        "Chunks of {name} are missing; the index is built anew.",
        "{name} 缺少分块，需重建索引。",
    ),
    Disagreement.VECTORS_MISSING: (
        "{count} vectors are missing; the index is built anew.",
        "缺少 {count} 个向量，需重建索引。",
    ),
    Disagreement.VECTORS_UNUSED: ("{count} vectors that no document has.", "{count} 个向量不属于任何文档。"),
    Disagreement.KEYWORDS_MISSING: (
        "{count} keyword entries are missing; the index is built anew.",
        "缺少 {count} 个关键词条目，需重建索引。",
    ),
    Disagreement.KEYWORDS_UNUSED: (
        "{count} keyword entries that no document has.",
        "{count} 个关键词条目不属于任何文档。",
    ),
    Disagreement.INDEX_UNREADABLE: (
        "An index cannot be read; it is built anew.",
        "索引无法读取，需重建。",
    ),
    Disagreement.INDEX_UNUSED: ("{count} indexes that no knowledge base has.", "{count} 个索引不属于任何知识库。"),
    Disagreement.JOB_MISSING: ("{name} is waiting, but no job is on it.", "{name} 处于等待状态，却没有对应的任务。"),
    Disagreement.LEFT_OVER: (
        "{name} was not finished, and something of it is still there.",
        "{name} 未处理完成，但仍有残留内容。",
    ),
    Disagreement.NOT_PURGED: ("{name} is deleted and still to be removed.", "{name} 已删除，尚待清除。"),
}


@router.post("/check", dependencies=[admin])
def check(body: CheckIn, services: ServicesDep, language: LanguageDep) -> CheckOut:
    """Compare catalogue, files and indexes; with `repair`, mend what can be mended. `deep` reads every file too."""
    report = services.consistency.check(repair=body.repair, deep=body.deep)
    return CheckOut(
        findings=[_finding_out(finding, language) for finding in report.findings],
        checked=CheckedOut(knowledge_bases=report.knowledge_bases, documents=report.documents, chunks=report.chunks),
    )


@router.post("/backups", status_code=201, dependencies=[admin])
def write_backup(services: ServicesDep) -> BackupOut:
    """Write a backup of everything into the folder `backups` of the data folder, under the id that comes back."""
    backup = services.backups.write()
    counts = backup.manifest.counts
    return BackupOut(
        id=backup.id,
        created_at=backup.manifest.created_at,
        files=len(backup.manifest.files),
        bytes=backup.manifest.bytes,
        knowledge_bases=counts.knowledge_bases,
        documents=counts.documents,
        ready=counts.ready,
        originals_left_out=list(backup.manifest.left_out),
    )


def wording(finding: Finding, language: Language) -> str:
    """A finding as people read it."""
    english, chinese = WORDING[finding.kind]
    return (chinese if language == "zh" else english).format(name=finding.name or "?", count=finding.count)


def _finding_out(finding: Finding, language: Language) -> FindingOut:
    return FindingOut(
        kind=finding.kind,
        knowledge_base_id=finding.knowledge_base_id,
        document_id=finding.document_id,
        message=wording(finding, language),
        count=finding.count,
        repaired=finding.repaired,
    )
