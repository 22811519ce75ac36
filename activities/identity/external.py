"""Users whom an identity provider knows: found by its own name for them, never by what they call themselves."""

import re
from typing import Final

from sqlalchemy import Connection, insert, select

from activities.audit.contracts import NOBODY, POLICY
from activities.identity.contracts import FIRST_USER, AccountConflict, Role, User, Via
from activities.identity.oidc import LoginRefused, Person
from activities.identity.tables import ExternalIdentityRow
from activities.identity.transactions import Transactions
from activities.identity.users import SqlUsers
from activities.records.database import timestamp

_IDENTITIES = ExternalIdentityRow.__table__  # type: ignore[attr-defined]
_ODD: Final = re.compile(r"[^a-z0-9._@-]+")
# Recorded for what no person does, or kept for the first administrator: a provider's people choose their own names.
_OURS: Final = frozenset({NOBODY, POLICY, FIRST_USER, Via.LOCAL.value, Via.SERVICE.value})
_LONGEST: Final = 56
_TRIES: Final = 50


class SqlExternalIdentities:
    """Which user is whom at an identity provider.

    Args:
        transactions: The records database.
        users: The accounts.
    """

    def __init__(self, transactions: Transactions, users: SqlUsers) -> None:
        self._transactions = transactions
        self._users = users

    async def user(self, person: Person, *, roles_given: bool) -> User:
        """Return the account of a person, made at their first login.

        A name that somebody has here already stays theirs: whoever is called so at the provider gets another.

        Args:
            person: Who the provider says they are.
            roles_given: Whether the provider's roles are theirs here, from this login on.

        Raises:
            LoginRefused: Their account is disabled.
        """
        roles = [Role(role) for role in person.roles if role in set(Role)]
        name = await self._transactions.run(lambda connection: _known(connection, person))
        if name is None:
            return await self._created(person, roles if roles_given else [])
        user = await self._users.get(name)
        if user.disabled:
            raise LoginRefused("this account is disabled")
        if roles_given and set(user.roles) != set(roles):
            user = await self._users.change(name, roles=roles)
        return user

    async def _created(self, person: Person, roles: list[Role]) -> User:
        wanted = _ODD.sub("-", person.name.lower()).strip("-._@")[:_LONGEST] or "user"
        for number in range(2 if wanted in _OURS else 1, _TRIES):
            name = wanted if number == 1 else f"{wanted}-{number}"
            try:
                user = await self._users.create(name, roles)
            except AccountConflict:
                continue
            await self._remember(person, name)
            return user
        raise LoginRefused(f"too many people here are called {wanted}; ask an administrator")

    async def _remember(self, person: Person, name: str) -> None:
        values = {"issuer": person.issuer, "subject": person.subject, "user": name, "created_at": timestamp()}
        await self._transactions.run(lambda connection: connection.execute(insert(_IDENTITIES).values(values)))


def _known(connection: Connection, person: Person) -> str | None:
    here = (_IDENTITIES.c.issuer == person.issuer) & (_IDENTITIES.c.subject == person.subject)
    name: str | None = connection.scalar(select(_IDENTITIES.c.user).where(here))
    return name
