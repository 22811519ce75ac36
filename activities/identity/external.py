"""Users whom an identity provider knows: found by its own name for them, never by what they call themselves."""

import re
from typing import Final

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from activities.audit.contracts import NOBODY, POLICY
from activities.identity.contracts import FIRST_USER, Role, User, Via
from activities.identity.oidc import LoginRefused, Person
from activities.identity.tables import ExternalIdentityRow, UserRow
from activities.identity.users import create, follow, read
from activities.records.database import timestamp
from activities.records.transactions import Transactions

_IDENTITIES = ExternalIdentityRow.__table__  # type: ignore[attr-defined]
_USERS = UserRow.__table__  # type: ignore[attr-defined]
_ODD: Final = re.compile(r"[^a-z0-9._@-]+")
# Recorded for what no person does, or kept for the first administrator: a provider's people choose their own names.
_OURS: Final = frozenset({NOBODY, POLICY, FIRST_USER, Via.LOCAL.value, Via.SERVICE.value})
_LONGEST: Final = 56
_NAMESAKES: Final = 50
# Each needs somebody else whose first login came between.
_TRIES: Final = 20


class SqlExternalIdentities:
    """Which user is whom at an identity provider.

    Args:
        transactions: The records database.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def user(self, person: Person, *, roles_given: bool) -> User:
        """Return the account of a person, made at their first login.

        A name that somebody has here already stays theirs: whoever is called so at the provider gets another. The last
        administrator stays one, whatever roles the provider gives.

        Args:
            person: Who the provider says they are.
            roles_given: Whether the provider's roles are theirs here, from this login on.

        Raises:
            LoginRefused: Their account is disabled.
        """
        roles = [Role(role) for role in person.roles if role in set(Role)] if roles_given else None
        for _ in range(_TRIES):
            try:
                return await self._transactions.run(lambda connection: _signed_in(connection, person, roles))
            except IntegrityError:
                # Somebody else made this account, or one of this name, at the same moment: it is found now.
                continue
        raise LoginRefused("too many people log in here for the first time just now; begin again")


def _signed_in(connection: Connection, person: Person, roles: list[Role] | None) -> User:
    here = (_IDENTITIES.c.issuer == person.issuer) & (_IDENTITIES.c.subject == person.subject)
    name = connection.scalar(select(_IDENTITIES.c.user).where(here))
    if name is None:
        return _created(connection, person, roles or [])
    user = read(connection, name)
    if user.disabled:
        raise LoginRefused("this account is disabled")
    return user if roles is None or set(user.roles) == set(roles) else follow(connection, name, roles)


def _created(connection: Connection, person: Person, roles: list[Role]) -> User:
    name = _free_name(connection, person)
    values = {"issuer": person.issuer, "subject": person.subject, "user": name, "created_at": timestamp()}
    connection.execute(insert(_IDENTITIES).values(values))
    return create(connection, name, roles)


def _free_name(connection: Connection, person: Person) -> str:
    wanted = _ODD.sub("-", person.name.lower()).strip("-._@")[:_LONGEST] or "user"
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, _NAMESAKES))]
    taken = {*_OURS, *connection.scalars(select(_USERS.c.name).where(_USERS.c.name.in_(names)))}
    for name in names:
        if name not in taken:
            return name
    raise LoginRefused(f"too many people here are called {wanted}; ask an administrator")
