"""The one foreign origin that may ask for something: Temporal Web, at the codec's paths, to show plain text.

https://docs.temporal.io/production-deployment/data-encryption
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from workers.settings import Settings

CODEC: Final = "/api/v1/codec"
PATHS: Final = frozenset({f"{CODEC}/decode", f"{CODEC}/encode"})
_PREFLIGHT: Final = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization, content-type, x-namespace",
    "access-control-max-age": "600",
}


class CodecOrigin:
    """Tells requests of Temporal Web from those of any other site.

    Args:
        settings: Where Temporal Web is.
    """

    def __init__(self, settings: Settings) -> None:
        self._origins = _origins(settings)

    def allows(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a request comes from Temporal Web and asks the codec."""
        return scope["path"] in PATHS and headers.get("origin", "") in self._origins

    def preflight(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a browser that asks whether it may ask; ``None`` for any other request."""
        asked = scope["method"] == "OPTIONS" and headers.get("access-control-request-method") == "POST"
        return Response(status_code=204, headers=_PREFLIGHT) if asked and self.allows(scope, headers) else None

    def headers(self, scope: Scope, headers: Headers) -> dict[str, str]:
        """Return what lets the browser read an answer; nothing for any other origin."""
        if not self.allows(scope, headers):
            return {}
        told = {"access-control-allow-origin": headers["origin"], "access-control-allow-credentials": "true"}
        # A browser keeps no answer of one origin for another.
        return told | {"vary": "origin"}


def _origins(settings: Settings) -> frozenset[str]:
    parts = urlsplit(settings.web_url)
    if not parts.hostname:
        return frozenset()
    origin = f"{parts.scheme}://{parts.netloc}"
    loopback = f"{parts.scheme}://localhost:{parts.port}" if parts.hostname == "127.0.0.1" else origin
    return frozenset({origin, loopback})
