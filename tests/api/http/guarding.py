"""An API that asks who one is, with a user of every role, and requests in their names."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from activities.identity.contracts import BoardGrant, Caller, Role, Via
from tests.api.http.serving import Serving, serving
from tests.conftest import free_port
from workers.settings import Settings

PASSWORD = "correct horse battery"  # noqa: S105 -- guards nothing
SERVICE = "a-service-token"


@dataclass(frozen=True)
class Guarded:
    """A served API with ``auth`` on.

    Args:
        served: The API. Its users are called as their roles; ``nothing`` has none, ``boarder`` reviews and reads the
            board ``ops`` only.
    """

    served: Serving

    async def token(self, user: str) -> str:
        """Return an access token without the cost of a password."""
        identity = self.served.services.identity
        session, _ = await identity.sessions.open(user, Via.SESSION, Caller())
        return identity.access.issue(user, session)

    async def client(self, user: str = "", token: str = "") -> httpx.AsyncClient:
        """Return a client in a user's name, with a token, or of nobody."""
        token = token or (await self.token(user) if user else "")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.served.url, headers=headers, trust_env=False, timeout=60)

    @asynccontextmanager
    async def browser(self, user: str, password: str = PASSWORD) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a browser that has logged in through the form."""
        headers = {"accept": "text/html", "origin": self.served.url}
        async with httpx.AsyncClient(base_url=self.served.url, headers=headers, trust_env=False, timeout=60) as client:
            answer = await client.post("/login", data={"user": user, "password": password})
            assert answer.status_code == 303, answer.text
            yield client


@contextmanager
def guarded_api(home: Path, **settings: Any) -> Iterator[Guarded]:
    """Serve an API with ``auth`` on; no Temporal server answers behind it unless one is given."""
    given = Settings(home=home, temporal_address=f"127.0.0.1:{free_port()}")
    update = {"auth": "on", "api_token": SecretStr(SERVICE), **settings}
    with serving(given.model_copy(update=update)) as served:
        yield Guarded(served)


async def people(guarded: Guarded) -> None:
    """Create a user of every role; the hash is made once."""
    identity = guarded.served.services.identity
    hashed = await identity.passwords.hashed(PASSWORD)
    for role in Role:
        await identity.users.create(role.value, [role], password=hashed)
    await identity.users.create("nothing", [], password=hashed)
    boards = [BoardGrant(board="ops", role=Role.REVIEWER), BoardGrant(board="ops", role=Role.SUBMITTER)]
    await identity.users.create("boarder", [], boards, password=hashed)
