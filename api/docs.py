"""The API's documentation page: Swagger UI from package data, under the strict content security policy."""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from api.permission import may

ASSETS: Final = Path(fastapi_offline.__file__).parent / "static"
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Prism Console API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="documentation"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#documentation", deepLinking: true});\n'
# Swagger UI sets style attributes and draws its icons from data URLs.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

router = APIRouter(include_in_schema=False, dependencies=[may("account.read")])
assets = StaticFiles(directory=ASSETS)


@router.get("/docs")
async def documentation() -> HTMLResponse:
    """Show the API's documentation."""
    return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """Start Swagger UI; a file of its own, as inline scripts are not allowed."""
    return Response(START, media_type="text/javascript")


@router.get("/openapi.json")
async def document(request: Request) -> JSONResponse:
    """Serve the OpenAPI document; a route of ours, so that it asks who reads it like every other."""
    return JSONResponse(request.app.openapi())
