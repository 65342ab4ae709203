"""Drafts of questions that the served model writes from the passages of a knowledge base."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
from anyio import to_thread

from app.catalogue.records import KnowledgeBase
from app.errors import KnowledgeBaseEmpty
from app.evaluation.courtesy import Courtesy
from app.generate.model_queue import Patience, patience
from app.ports import Message
from app.services import Services
from app.types import DocumentState, Language
from eval.drafts import MOST_TOKENS, Draft, Place, choose, draft_messages, draft_of, fault, long_enough, read

log = structlog.get_logger(__name__)

TRIES = 3
"""Passages tried for one question that is wanted, since a small model spoils many of them."""
_MOST_DOCUMENTS = 20_000


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """How many questions are wanted, `unanswerable` of them without an answer; `language` is that of the passages."""

    knowledge_base_id: str
    count: int
    unanswerable: int
    seed: int
    language: Language | None = None


@dataclass(slots=True)
class Drafted:
    """The end of a stream of drafts: how many were kept, and by the reason those that were not."""

    drafts: int = 0
    spoiled: Counter[str] = field(default_factory=Counter)


async def drafts(services: Services, courtesy: Courtesy, order: DraftOrder) -> AsyncGenerator[Draft | Drafted]:
    """Drafts as they are written, then `Drafted`; fewer than wanted where too many are spoiled or the server stops.

    Answerable and unanswerable ones come mixed. The same seed and passages give the same prompts. Users' questions go
    first. Raises `KnowledgeBaseNotFound`, `KnowledgeBaseEmpty`, `ModelUnavailable`, `ModelBusy`.
    """
    places = await to_thread.run_sync(_places, services, order)
    done = Drafted()
    kept: list[str] = []
    left = {True: order.count - order.unanswerable, False: order.unanswerable}
    tried: set[tuple[str, bool]] = set()
    for place in places:
        if not any(left.values()) or services.is_draining():
            break
        answerable = _turn(left, place, tried)
        if answerable is None:
            continue
        tried.add((place.chunk.id, answerable))
        await courtesy.quiet()
        language = order.language or place.language
        question, answer = read(await _written(services, draft_messages(place, language, answerable=answerable)))
        why = fault(question, answer, place, kept, answerable=answerable)
        if why is not None:
            done.spoiled[why] += 1
            continue
        kept.append(question)
        left[answerable] -= 1
        done.drafts += 1
        yield draft_of(question, answer, place, answerable=answerable)
    log.info("questions_drafted", knowledge_base_id=order.knowledge_base_id, drafts=done.drafts, **done.spoiled)
    yield done


def check(services: Services, order: DraftOrder) -> KnowledgeBase:
    """Raises `KnowledgeBaseNotFound`, `KnowledgeBaseEmpty`."""
    base = services.bases.get(order.knowledge_base_id)
    if base.ready == 0:
        raise KnowledgeBaseEmpty(name=base.name)
    return base


def _turn(left: dict[bool, int], place: Place, tried: set[tuple[str, bool]]) -> bool | None:
    """Whether an answerable question is next: the kind of which more are wanted, but each once from a passage, as the
    model would say the same again. None where the passage has nothing more to give."""
    kinds = [kind for kind in (True, False) if left[kind] and (place.chunk.id, kind) not in tried]
    return max(kinds, key=lambda kind: left[kind], default=None)


def _places(services: Services, order: DraftOrder) -> Iterator[Place]:
    """Passages in the order in which to try them, spread over the documents; read from the catalogue one by one.

    They come twice, so that a small knowledge base gives questions of both kinds.
    """
    base = check(services, order)
    ready = services.documents.all(base.id, _MOST_DOCUMENTS, 0, DocumentState.READY)
    most = TRIES * order.count
    names = {document.id: document.name for document in ready}
    drawn = random.Random(order.seed).sample(sorted(names), min(len(names), most))  # noqa: S311 - a sample, no secret
    chunks = {document_id: services.contents.chunk_ids(document_id, base.index_id) for document_id in drawn}
    wanted = choose(chunks, sum(len(own) for own in chunks.values()), order.seed)
    return _read(services, base, [*wanted, *wanted], order, most)


def _read(
    services: Services, base: KnowledgeBase, wanted: list[tuple[str, str]], order: DraftOrder, most: int
) -> Iterator[Place]:
    given = 0
    for _, chunk_id in wanted:
        if given == most:
            return
        found = services.contents.visible_chunks(base.id, base.index_id, [chunk_id])
        for chunk, name in found.values():
            place = Place(name, chunk)
            if long_enough(chunk.text) and order.language in (None, place.language):
                given += 1
                yield place


async def _written(services: Services, messages: list[Message]) -> str:
    with patience(Patience.BACKGROUND):
        async with aclosing(services.model.stream(messages, MOST_TOKENS)) as pieces:
            return "".join([piece async for piece in pieces if isinstance(piece, str)])
