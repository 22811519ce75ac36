"""Login by an OpenID Connect provider: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0)."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import httpx
import jwt
from pydantic import SecretStr

from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

TIMEOUT_SECONDS: Final = 5.0
LOGIN_SECONDS: Final = 600
# The provider's document and keys change rarely; a key that is not among them is fetched at once.
FRESH_SECONDS: Final = 600.0
SKEW_SECONDS: Final = 60
# Which algorithms a key can have signed with, by its type and curve (RFC 7518, RFC 8037). Secrets are none of them: a
# signature by one proves nothing about who signed.
_ALGORITHMS: Final = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
_HS256: Final = "HS256"


class ProviderUnavailable(PrismError):
    """The identity provider does not answer, or answers nonsense."""

    code: ClassVar[ErrorCode] = ErrorCode.PROVIDER_UNAVAILABLE
    retryable = True


class LoginRefused(PrismError):
    """The provider's answer does not prove who somebody is."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_CREDENTIALS


class Attempt(Contract):
    """A login that has begun; travels in a signed cookie of the browser that began it.

    Args:
        verifier: PKCE's secret (RFC 7636).
        next: Where the browser wanted to go.
    """

    state: str
    nonce: str
    verifier: str
    next: str


class Person(Contract):
    """Who the provider says somebody is.

    Args:
        subject: Its own name for them, which never changes.
        name: What they are called there.
        roles: What the roles claim holds.
    """

    issuer: str
    subject: str
    name: str
    roles: tuple[str, ...] = ()


class OidcProvider:
    """An OpenID Connect provider.

    Args:
        issuer: Its address.
        client_id: What it knows this installation by.
        client_secret: What proves that.
        roles_claim: The claim that holds roles; empty for none.
        secret: The installation's secret, which signs attempts.
    """

    def __init__(
        self, issuer: str, client_id: str, client_secret: SecretStr | None, roles_claim: str, secret: bytes
    ) -> None:
        self.issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._roles_claim = roles_claim
        self._key = hmac.digest(secret, b"oidc", "sha256")
        self._document: dict[str, Any] = {}
        self._keys: list[dict[str, Any]] | None = None
        self._fetched = 0.0

    async def begin(self, wanted: str, callback: str) -> tuple[str, str]:
        """Return where to send a browser, and the cookie it is to keep meanwhile.

        Raises:
            ProviderUnavailable: The provider does not answer.
        """
        document = await self._discovered()
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=wanted,
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": callback,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        claims = {**attempt.model_dump(), "exp": int(time.time()) + LOGIN_SECONDS}
        cookie = jwt.encode(claims, self._key, algorithm=_HS256)
        address = str(document["authorization_endpoint"])
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", cookie

    async def finish(self, cookie: str, state: str, code: str, callback: str) -> tuple[Person, str]:
        """Return who logged in, and where they wanted to go.

        Raises:
            LoginRefused: It is not the login that this browser began, or the proof does not hold.
            ProviderUnavailable: The provider does not answer.
        """
        try:
            attempt = Attempt.model_validate(jwt.decode(cookie, self._key, algorithms=[_HS256]))
        except (jwt.InvalidTokenError, ValueError):
            raise LoginRefused("this login was not begun here, or too long ago; begin again") from None
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise LoginRefused("this is not the login that this browser began; begin again")
        claims = await self._proven(await self._token(code, attempt.verifier, callback))
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise LoginRefused("the provider's answer belongs to another login; begin again")
        return self._person(claims), attempt.next

    async def _discovered(self) -> dict[str, Any]:
        if not self._document or time.monotonic() - self._fetched > FRESH_SECONDS:
            document = await self._json("GET", f"{self.issuer}/.well-known/openid-configuration")
            if str(document.get("issuer", "")).rstrip("/") != self.issuer:
                raise ProviderUnavailable(f"the provider calls itself {document.get('issuer')}, not {self.issuer}")
            missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - document.keys()
            if missing:
                raise ProviderUnavailable(f"the provider does not say its {', '.join(sorted(missing))}")
            self._document, self._keys, self._fetched = document, None, time.monotonic()
        return self._document

    async def _token(self, code: str, verifier: str, callback: str) -> str:
        document = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        if self._client_secret:
            form["client_secret"] = self._client_secret.get_secret_value()
        answer = await self._json("POST", str(document["token_endpoint"]), form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise LoginRefused("the provider gave no proof of who you are")
        return token

    async def _proven(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg", ""))
            key = await self._signing_key(str(header.get("kid", "")), algorithm)
            return dict(
                jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=self._client_id,
                    issuer=[self.issuer, f"{self.issuer}/"],
                    leeway=SKEW_SECONDS,
                    options={"require": ["exp", "iat", "sub", "aud", "iss"]},
                )
            )
        except jwt.PyJWTError:
            raise LoginRefused("the provider's proof of who you are does not hold") from None

    async def _signing_key(self, kid: str, algorithm: str) -> jwt.PyJWK:
        document = await self._discovered()
        for fresh in (False, True):
            if self._keys is None or fresh:
                self._keys = _keys(await self._json("GET", str(document["jwks_uri"])))
            meant = [one for one in self._keys if one.get("kid") == kid or not kid]
            for key in meant:
                if _fits(key, algorithm):
                    return jwt.PyJWK(key, algorithm)
            if meant and kid:
                raise LoginRefused("the provider signed in a way that does not fit its key")
        raise LoginRefused("the provider signed with a key that it does not publish")

    async def _json(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as http:
                answer = await http.request(method, url, data=form, headers={"accept": "application/json"})
        except httpx.HTTPError:
            raise ProviderUnavailable("the identity provider does not answer; try again, or log in here") from None
        if form is not None and answer.is_client_error:
            # A code that was used or is too old: the provider says so, and nothing in it is for other eyes.
            raise LoginRefused("the provider refused this login; begin again")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not answer.is_success or not isinstance(found, dict):
            raise ProviderUnavailable(f"the identity provider answered {answer.status_code}; try again, or log in here")
        return found

    def _person(self, claims: dict[str, Any]) -> Person:
        roles = claims.get(self._roles_claim, ()) if self._roles_claim else ()
        named = claims.get("preferred_username") or claims.get("email") or claims["sub"]
        return Person(
            issuer=self.issuer,
            subject=str(claims["sub"]),
            name=str(named),
            roles=tuple(str(role) for role in (roles if isinstance(roles, list) else [roles])),
        )


def _keys(found: dict[str, Any]) -> list[dict[str, Any]]:
    keys = found.get("keys")
    if not isinstance(keys, list) or not all(isinstance(one, dict) for one in keys):
        raise ProviderUnavailable("the provider's keys cannot be used")
    return keys


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    """Return whether a key may have signed with an algorithm, by its type and by what the provider says of it."""
    # As texts: what a provider publishes may be of any type, and a list is no key of a dict.
    kind = (str(key.get("kty")), str(key["crv"]) if "crv" in key else None)
    named = key.get("alg", algorithm) == algorithm and key.get("use", "sig") == "sig"
    return named and algorithm in _ALGORITHMS.get(kind, ())
