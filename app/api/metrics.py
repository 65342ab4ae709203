"""The route that Prometheus reads; it takes a key like every other."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response

from app.alarms.rules import Phase
from app.api.deps import ServicesDep, metrics_reader
from app.api.measures import CONTENT_TYPE, Measures

router = APIRouter(tags=["health"], dependencies=[metrics_reader])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Counts and times of requests, documents and jobs by state, which parts are ready: as Prometheus reads them."""
    measures: Measures = request.app.state.measures
    parts = await services.health.parts()
    measures.state(
        {name: part.state == "ready" for name, part in parts.items()},
        await to_thread.run_sync(services.counts.documents),
        await to_thread.run_sync(services.counts.jobs),
    )
    queue, places = services.model.queue, request.app.state.places
    breakers = {one.part: one.is_open for one in services.health.breakers()}
    measures.load(queue.running, queue.waiting, places.taken, breakers)
    standing = await to_thread.run_sync(request.app.state.alarming.standing)
    measures.alarms({one.rule.value: one.phase is Phase.FIRING for one in standing if one.limit is not None})
    return Response(measures.text(), media_type=CONTENT_TYPE)
