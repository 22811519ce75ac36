"""Signs one in-toto statement by sigstore: a program of its own, so that it can be ended whatever it waits for.

The libraries of sigstore wait for its servers without any limit, and take memory that few workers need. Standard input
is a JSON object: ``statement`` in base64, ``token`` (empty looks for what the surroundings offer), ``trust`` (file of a
client trust configuration; empty for the public instance). Standard output is one with ``bundle``, or with ``fault``.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any, Final

from requests.exceptions import RequestException
from sigstore.dsse import Statement
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import ExpiredIdentity, IdentityError, IdentityToken, detect_credential
from sigstore.sign import SigningContext

_NO_IDENTITY: Final = (
    "there is no identity token: set PRISM_SIGSTORE_TOKEN_FILE, or run where the surroundings offer one"
)


def signed(request: dict[str, str]) -> dict[str, Any]:
    """Return the bundle over a statement, or what kept it from being made."""
    try:
        token = request["token"] or detect_credential()
    except IdentityError as error:
        return {"fault": f"the surroundings offer no identity token: {error}"}
    if not token:
        return {"fault": _NO_IDENTITY}
    try:
        return {"bundle": json.loads(_bundle(request, token).to_json())}
    except (IdentityError, ExpiredIdentity) as error:
        return {"fault": f"the identity token cannot be used: {error or 'it has run out'}"}
    except RequestException as error:
        return {"fault": f"a server of sigstore cannot be reached: {type(error).__name__}"}
    except Exception as error:  # noqa: BLE001 -- the outermost of this program; what its libraries raise is not one family
        cause = error.__cause__ or error.__context__
        told = "; ".join(str(one) or type(one).__name__ for one in (error, cause) if one is not None)
        kind = "sigstore refused" if isinstance(error, Error) else type(error).__name__
        return {"fault": f"{kind}: {told}"}


def _bundle(request: dict[str, str], token: str) -> Bundle:
    trust = request["trust"]
    config = ClientTrustConfig.from_json(Path(trust).read_text()) if trust else ClientTrustConfig.production()
    context = SigningContext.from_trust_config(config)
    with context.signer(IdentityToken(token)) as signer:
        return signer.sign_dsse(Statement(base64.b64decode(request["statement"])))


if __name__ == "__main__":
    json.dump(signed(json.load(sys.stdin)), sys.stdout)
