"""A real OpenID Connect provider, to be run as a process, that signs badly for people who are called after a fault."""

import json
import sys
from collections.abc import Callable
from typing import Any, Final

import flask
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm

_EC: Final = ec.generate_private_key(ec.SECP256R1())
_FOREIGN: Final = rsa.generate_private_key(65537, 2048)
_SECRET: Final = 64 * "s"
RSA: Final = "rsa"
CURVE: Final = "curve"

Signer = Callable[[dict[str, Any]], str]


def _signed(key: Any, algorithm: str, kid: str = RSA) -> Signer:
    headers = {"kid": kid} if kid else None
    return lambda claims: jwt.encode(claims, key, algorithm, headers=headers)


# By the subject of the token, which says that the RSA key signed it unless another one is named.
FAULTS: Final[dict[str, Signer]] = {
    "by-secret": _signed(_SECRET, "HS256"),
    "unsigned": _signed(None, "none"),
    "by-curve-as-rsa": _signed(_EC, "ES256"),
    "by-rsa-as-curve": _signed(_FOREIGN, "RS256", CURVE),
    "by-secret-as-curve": _signed(_SECRET, "HS256", CURVE),
    "by-unknown": _signed(_FOREIGN, "RS256", "elsewhere"),
    "by-foreign": _signed(_FOREIGN, "RS256"),
    "unsigned-by-nobody": _signed(None, "none", ""),
    "by-secret-of-nobody": _signed(_SECRET, "HS256", ""),
    "unheard-of": _signed(_FOREIGN, "PS512"),
}
SOUND: Final[dict[str, Signer]] = {
    "by-curve": _signed(_EC, "ES256", CURVE),
    "by-curve-unnamed": _signed(_EC, "ES256", ""),
}


def provider(people: list[dict[str, Any]]) -> flask.Flask:
    """Return the provider of these people, who are told by their claims."""
    # Importing it warns of what it is built with, which is no concern of a test that only reads the names above.
    import oidc_provider_mock  # noqa: PLC0415

    users = [oidc_provider_mock.User(sub=str(one["sub"]), claims=one) for one in people]
    users += [oidc_provider_mock.User(sub=name) for name in (*FAULTS, *SOUND)]
    app = oidc_provider_mock.app(require_nonce=True, user_claims=users)

    @app.after_request
    def _tamper(answer: flask.Response) -> flask.Response:
        found = answer.get_json(silent=True)
        if flask.request.path == "/jwks" and found:
            curve = ECAlgorithm.to_jwk(_EC.public_key(), as_dict=True)
            rsa_key = found["keys"][0] | {"kid": RSA, "alg": "RS256"}
            answer.set_data(json.dumps({"keys": [rsa_key, curve | {"kid": CURVE}]}))
        if flask.request.path == "/oauth2/token" and found and "id_token" in found:
            claims = jwt.decode(found["id_token"], options={"verify_signature": False})
            signer = (FAULTS | SOUND).get(claims["sub"])
            if signer:
                answer.set_data(json.dumps(found | {"id_token": signer(claims)}))
        return answer

    return app


if __name__ == "__main__":
    provider([json.loads(one) for one in sys.argv[2:]]).run(port=int(sys.argv[1]))
