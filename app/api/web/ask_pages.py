"""Pages of questions: a conversation with its turns, and one turn as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from app.api.adapters import PromotingDep
from app.api.conversations import turn_out
from app.api.deps import LanguageDep, ServicesDep
from app.api.web.adapter_pages import adapter_names
from app.api.web.rendering import render
from app.api.web.routing import KeyDep, PageRoute
from app.api.web.turn_view import TurnView, turn_view
from app.catalogue.conversations import Conversation
from app.catalogue.records import Key, KnowledgeBase
from app.errors import RouteNotFound
from app.finetune.promoting import Promoting
from app.services import Services

router = APIRouter(prefix="/kb/{knowledge_base_id}", route_class=PageRoute, include_in_schema=False)

MOST_HISTORY = 100
"""Conversations in the list beside the questions; older ones stay reachable over the API."""


@router.get("/ask")
def new_conversation(
    knowledge_base_id: str, request: Request, services: ServicesDep, promoting: PromotingDep, key: KeyDep
) -> Response:
    """A question box; the conversation is made with its first question."""
    base = services.bases.get(knowledge_base_id)
    return _asking(request, services, promoting, key, base)


@router.get("/ask/{conversation_id}")
def show_conversation(
    knowledge_base_id: str,
    conversation_id: str,
    request: Request,
    services: ServicesDep,
    promoting: PromotingDep,
    key: KeyDep,
    language: LanguageDep,
) -> Response:
    """A conversation of this reader with all its turns."""
    base = services.bases.get(knowledge_base_id)
    found = services.conversations.get(conversation_id, key.id)
    if found.knowledge_base_id != base.id:
        raise RouteNotFound
    turns = [turn_view(turn_out(turn, language)) for turn in services.conversations.turns(found.id, key.id)]
    return _asking(request, services, promoting, key, base, found, turns)


@router.get("/turns/{turn_id}")
def show_turn(
    knowledge_base_id: str,
    turn_id: str,
    request: Request,
    services: ServicesDep,
    key: KeyDep,
    language: LanguageDep,
) -> Response:
    """One turn, for the place of what was streamed: checked, cited, and stored."""
    base = services.bases.get(knowledge_base_id)
    turn = services.conversations.turn(turn_id, key.id)
    if turn.knowledge_base_id != base.id:
        raise RouteNotFound
    view = turn_view(turn_out(turn, language))
    return render(request, "turn.html", key=key, base=base, turn=view, names=adapter_names(services))


def _asking(
    request: Request,
    services: Services,
    promoting: Promoting,
    key: Key,
    base: KnowledgeBase,
    conversation: Conversation | None = None,
    turns: Sequence[TurnView] = (),
) -> Response:
    """The page to ask on, with the reader's earlier conversations beside; hosted adapters can be compared."""
    names = adapter_names(services)
    return render(
        request,
        "ask.html",
        key=key,
        base=base,
        conversation=conversation,
        turns=turns,
        history=services.conversations.list(base.id, key.id, MOST_HISTORY, 0),
        names=names,
        hosted={adapter: names[adapter] for adapter in sorted(promoting.hosted()) if adapter in names},
        most_characters=services.settings.max_question_characters,
    )
