"""What the OpenAPI document says beyond the routes: how requests are authenticated, what a submission's body is."""

from typing import Any, Final

from fastapi import FastAPI

from api.middleware import OPEN_PATHS
from api.models import Submission

SCHEME: Final = "bearer"


def complete_document(app: FastAPI, *, token_wanted: bool) -> None:
    """Add the bearer token, and the schema of the body that submissions read by themselves.

    Args:
        app: The application, with all its routes.
        token_wanted: Whether this installation asks for a token; one that does not takes requests with and without.
    """
    routes_alone = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = routes_alone()
            document["components"]["securitySchemes"] = {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token, an API token, or the value of PRISM_API_TOKEN",
                }
            }
            document["security"] = [{SCHEME: []}] if token_wanted else [{}, {SCHEME: []}]
            template = "#/components/schemas/{model}"
            document["components"]["schemas"]["Submission"] = Submission.model_json_schema(ref_template=template)
            for path in OPEN_PATHS & document["paths"].keys():
                for operation in document["paths"][path].values():
                    operation["security"] = []
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
