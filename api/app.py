"""Assembles the HTTP application."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from api import docs
from api.auditing import denied
from api.console.mount import mount_console
from api.console.render import refusal
from api.errors import install_error_handlers
from api.identification import Identification
from api.middleware import Gatekeeper
from api.openapi import complete_document
from api.routes import (
    accounts,
    agents,
    artifacts,
    audit,
    auth,
    budgets,
    cache,
    catalogs,
    codec,
    events,
    experiments,
    feedback,
    health,
    notifications,
    reflections,
    reviews,
    rows,
    runs,
    scans,
    secrets,
    system,
    usage,
)
from api.services import Services
from workers.settings import Settings

VERSION = "0.1.0"
DESCRIPTION = "Runs every row of a CSV prompt catalog as a durable, governed, signed Temporal workflow."


def create_app(settings: Settings, services: Services) -> FastAPI:
    """Return the application.

    Args:
        settings: The process's settings.
        services: What the routes work with.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.stores.engine.dispose()

    app = FastAPI(
        title="Prism Console",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.services = services
    install_error_handlers(app, denied)
    resources = (
        catalogs,
        agents,
        runs,
        reviews,
        # Before rows, whose path takes whatever follows.
        feedback,
        reflections,
        experiments,
        rows,
        events,
        notifications,
        artifacts,
        auth,
        accounts,
        audit,
        budgets,
        cache,
        codec,
        scans,
        secrets,
        system,
        usage,
    )
    for resource in resources:
        app.include_router(resource.router, prefix="/api/v1")
    app.include_router(health.router)
    app.include_router(docs.router)
    app.mount("/docs/assets", docs.assets)
    mount_console(app)
    complete_document(app, token_wanted=settings.api_token is not None or settings.auth == "on")
    app.add_middleware(Identification, services=services, refusal_page=refusal)
    app.add_middleware(Gatekeeper, settings=settings, refusal_page=refusal)
    return app
