"""The FastAPI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from app import __version__
from app.api import (
    adapters,
    alarms,
    audit,
    calibration,
    conversations,
    csp_reports,
    documents,
    evaluations,
    finetune,
    health,
    jobs,
    keys,
    knowledge_bases,
    maintenance,
    metrics,
    operations,
    page_images,
    problems,
    questions,
    reviews,
    sign_in_links,
)
from app.api.admission import Admission
from app.api.compatible import chat, embeddings, models
from app.api.csp_reports import CspReports
from app.api.deps import reader
from app.api.guard import Guard
from app.api.headers import SecurityHeaders
from app.api.limits import BodyLimit
from app.api.measures import Measures
from app.api.observe import Observe
from app.api.places import Places
from app.api.rates import Rates
from app.api.sign_in_links import SignInLinks
from app.api.users_first import UsersFirst
from app.api.web import pages, sessions
from app.finetune.jobs import TrainingJobs
from app.finetune.leftovers import sweep_now_and_then
from app.services import Services
from app.wiring.alarms import build_alarms
from app.wiring.work import (
    build_adapters,
    build_conversing,
    build_hosting,
    build_promoting,
    build_runs,
    build_trainings,
)

DESCRIPTION = """Answers questions about product manuals from the manuals alone, in Chinese and English, with the page
it read as proof, and says so when the manuals have no answer. Send an API key as `Authorization: Bearer <key>`; send
`Accept-Language: zh` for messages in Chinese. Errors are `application/problem+json`."""

ROUTES = (
    health,
    metrics,
    knowledge_bases,
    documents,
    page_images,
    jobs,
    questions,
    conversations,
    reviews,
    evaluations,
    calibration,
    adapters,
    finetune,
    models,
    chat,
    embeddings,
    keys,
    operations,
    alarms,
    audit,
    maintenance,
    sign_in_links,
    csp_reports,
    sessions,
    pages,
)
"""The modules whose routes the server has."""


def create_app(services: Services, trainings: TrainingJobs | None = None, *, tells_alarms: bool = True) -> FastAPI:
    """The application over `services`, which it starts with the server and stops with it.

    Tests hand in `trainings` whose process they script. A worker tells no alarms: it may reach nobody outside.
    """

    runs = build_runs(services)
    registry = build_adapters(services)
    trainings = trainings or build_trainings(services, registry, runs.courtesy)
    hosting = build_hosting(services, registry)
    promoting = build_promoting(services, runs, registry, hosting)
    alarming = build_alarms(services)

    measures = Measures()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        left = [] if services.process_id is None else [registry.leftovers(), trainings.leftovers()]
        if services.process_id is None:  # what others have half made is no left-over
            await to_thread.run_sync(registry.sweep)
        for place in left:
            await to_thread.run_sync(place.sweep, services.others)
        await to_thread.run_sync(hosting.start)
        await to_thread.run_sync(services.start)
        if tells_alarms:
            alarming.start()
        queues = (runs.work, trainings.work) if services.works else ()
        background = [asyncio.create_task(work()) for work in (services.warm_up_model, measures.watch_loop, *queues)]
        if left:
            background.append(asyncio.create_task(sweep_now_and_then(left, services.living)))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await to_thread.run_sync(alarming.stop)
            await to_thread.run_sync(hosting.stop)
            await services.stop()

    app = FastAPI(
        title="manualqa",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,  # nothing but health is open: the description is served below, to holders of a key
        docs_url=None,  # its pages come from a third party's server
        redoc_url=None,
        lifespan=lifespan,
        responses=problems.PROBLEM_RESPONSES,
    )
    app.state.services = services
    app.state.evaluations, app.state.trainings = runs, trainings
    app.state.adapters, app.state.promoting = registry, promoting
    app.state.alarming = alarming
    app.state.conversing = build_conversing(services)
    app.state.embedding_limiter = CapacityLimiter(1)
    app.state.places = Places(services.model.queue.most + services.settings.model_queue)
    app.state.uploading = CapacityLimiter(services.settings.parallel_uploads)
    app.state.measures = measures
    services.recorder.tell(measures.call)
    app.state.rates = Rates()
    app.state.sign_in_links = SignInLinks()
    app.state.csp_reports = CspReports()
    problems.install(app)
    app.add_middleware(UsersFirst, courtesy=runs.courtesy)
    app.add_middleware(Guard, audit=services.audit)
    app.add_middleware(Admission, places=app.state.places, measures=measures)  # once the body is there
    app.add_middleware(BodyLimit, limit_kb=services.settings.max_body_kb)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observe, measures=measures)

    @app.get("/openapi.json", include_in_schema=False, dependencies=[reader])
    def describe() -> JSONResponse:
        return JSONResponse(app.openapi())

    for module in ROUTES:
        app.include_router(module.router)
    return app
