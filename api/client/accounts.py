"""What both clients do with accounts."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from activities.identity.contracts import BoardGrant, Role, User
from api.account_models import Me, Sessions, TokenMade, Tokens, UserInvited, Users
from api.client import calls
from api.client.calls import Call
from api.models import Accepted

Answer = TypeVar("Answer")


class AccountMethods:
    """Accounts, for the blocking client."""

    @abstractmethod
    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    def me(self) -> Me:
        """Return who asks, and in which roles."""
        return self.send(calls.get("/auth/me", Me))

    def logout(self) -> Accepted:
        """End the session of this token."""
        return self.send(calls.account("POST", "/auth/logout", Accepted))

    def sessions(self) -> Sessions:
        """Return one's open sessions."""
        return self.send(calls.get("/auth/sessions", Sessions))

    def revoke_session(self, session: str) -> Accepted:
        """End one of one's sessions."""
        return self.send(calls.account("DELETE", f"/auth/sessions/{calls.part(session)}", Accepted))

    def tokens(self, of: str = "") -> Tokens:
        """Return one's API tokens, or those of a service account, without their secrets."""
        return self.send(calls.get(_tokens(of), Tokens))

    def create_token(self, title: str, scopes: Sequence[str], days: int = 90, *, of: str = "") -> TokenMade:
        """Make an API token of one's own or of a service account; its secret is in the answer and nowhere else."""
        body = {"title": title, "scopes": list(scopes), "days": days}
        return self.send(calls.account("POST", _tokens(of), TokenMade, body))

    def revoke_token(self, token: str, *, of: str = "") -> Accepted:
        """Revoke one of one's API tokens, or one of a service account."""
        return self.send(calls.account("DELETE", f"{_tokens(of)}/{calls.part(token)}", Accepted))

    def users(self) -> Users:
        """Return every user."""
        return self.send(calls.get("/users", Users))

    def create_user(
        self,
        name: str,
        roles: Sequence[Role | str] = (),
        boards: Sequence[BoardGrant] = (),
        *,
        service: bool = False,
    ) -> UserInvited:
        """Create a user, whom the answer's link lets in once, or an account of a program."""
        grants = [grant.model_dump() for grant in boards]
        body = {"name": name, "roles": list(roles), "boards": grants, "service": service}
        return self.send(calls.account("POST", "/users", UserInvited, body))

    def change_user(
        self,
        name: str,
        *,
        roles: Sequence[Role | str] | None = None,
        boards: Sequence[BoardGrant] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change a user; what is left out stays."""
        grants = None if boards is None else [grant.model_dump() for grant in boards]
        given = {"roles": None if roles is None else list(roles), "boards": grants, "disabled": disabled}
        body = {name: value for name, value in given.items() if value is not None}
        return self.send(calls.account("PATCH", f"/users/{calls.part(name)}", User, body))

    def reset_user(self, name: str) -> UserInvited:
        """Take a user's password away; the answer's link lets them choose another."""
        return self.send(calls.account("POST", f"/users/{calls.part(name)}/reset", UserInvited))


class AsyncAccountMethods:
    """Accounts, for the asynchronous client."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    async def me(self) -> Me:
        """Return who asks, and in which roles."""
        return await self.send(calls.get("/auth/me", Me))

    async def logout(self) -> Accepted:
        """End the session of this token."""
        return await self.send(calls.account("POST", "/auth/logout", Accepted))

    async def sessions(self) -> Sessions:
        """Return one's open sessions."""
        return await self.send(calls.get("/auth/sessions", Sessions))

    async def revoke_session(self, session: str) -> Accepted:
        """End one of one's sessions."""
        return await self.send(calls.account("DELETE", f"/auth/sessions/{calls.part(session)}", Accepted))

    async def tokens(self, of: str = "") -> Tokens:
        """Return one's API tokens, or those of a service account, without their secrets."""
        return await self.send(calls.get(_tokens(of), Tokens))

    async def create_token(self, title: str, scopes: Sequence[str], days: int = 90, *, of: str = "") -> TokenMade:
        """Make an API token of one's own or of a service account; its secret is in the answer and nowhere else."""
        body = {"title": title, "scopes": list(scopes), "days": days}
        return await self.send(calls.account("POST", _tokens(of), TokenMade, body))

    async def revoke_token(self, token: str, *, of: str = "") -> Accepted:
        """Revoke one of one's API tokens, or one of a service account."""
        return await self.send(calls.account("DELETE", f"{_tokens(of)}/{calls.part(token)}", Accepted))

    async def users(self) -> Users:
        """Return every user."""
        return await self.send(calls.get("/users", Users))

    async def create_user(
        self,
        name: str,
        roles: Sequence[Role | str] = (),
        boards: Sequence[BoardGrant] = (),
        *,
        service: bool = False,
    ) -> UserInvited:
        """Create a user, whom the answer's link lets in once, or an account of a program."""
        grants = [grant.model_dump() for grant in boards]
        body = {"name": name, "roles": list(roles), "boards": grants, "service": service}
        return await self.send(calls.account("POST", "/users", UserInvited, body))

    async def change_user(
        self,
        name: str,
        *,
        roles: Sequence[Role | str] | None = None,
        boards: Sequence[BoardGrant] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change a user; what is left out stays."""
        grants = None if boards is None else [grant.model_dump() for grant in boards]
        given = {"roles": None if roles is None else list(roles), "boards": grants, "disabled": disabled}
        body = {name: value for name, value in given.items() if value is not None}
        return await self.send(calls.account("PATCH", f"/users/{calls.part(name)}", User, body))

    async def reset_user(self, name: str) -> UserInvited:
        """Take a user's password away; the answer's link lets them choose another."""
        return await self.send(calls.account("POST", f"/users/{calls.part(name)}/reset", UserInvited))


def _tokens(of: str) -> str:
    return f"/users/{calls.part(of)}/tokens" if of else "/auth/tokens"
