"""What the OpenAPI document says beyond the routes: how a request is authenticated."""

from typing import Any, Final

from fastapi import FastAPI

from api.middleware import OPEN_PATHS

SCHEME: Final = "bearer"


def describe_security(app: FastAPI, *, wanted: bool) -> None:
    """Add the bearer token to the document.

    Args:
        app: The application, with all its routes.
        wanted: Whether this installation asks for a token; one that does not takes requests with and without.
    """
    routes_alone = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = routes_alone()
            document["components"]["securitySchemes"] = {
                SCHEME: {"type": "http", "scheme": "bearer", "description": "The value of PRISM_API_TOKEN"}
            }
            document["security"] = [{SCHEME: []}] if wanted else [{}, {SCHEME: []}]
            for path in OPEN_PATHS & document["paths"].keys():
                for operation in document["paths"][path].values():
                    operation["security"] = []
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
