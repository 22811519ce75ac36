"""One-click links: signed, expiring tokens bound to row, execution, round and person, each good for one decision."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

import jwt
from pydantic import ValidationError
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from activities.notifications.contracts import Item
from activities.records.database import timestamp
from activities.records.transactions import Transactions
from activities.reviews.tables import UsedLinkRow
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

DECIDE_PAGE: Final = "/decide"
LIFETIME: Final = timedelta(days=7)
_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "prism-decision"
_USED = UsedLinkRow.__table__  # type: ignore[attr-defined]


class LinkInvalid(PrismError):
    """A link decides nothing: it is forged, too old, or was used."""

    code = ErrorCode.INVALID_LINK


class DecisionClaim(Contract):
    """What a link is for.

    Args:
        attempt: The row's execution.
        round: The round of its review.
        person: Who decides by it.
    """

    run: str
    row: str
    attempt: int
    round: int
    person: str


class DecisionLinks:
    """Makes and reads links.

    Args:
        secret: The installation's secret; what signs links is derived from it and signs nothing else.
        console_url: Where people reach the console.
    """

    def __init__(self, secret: bytes, console_url: str) -> None:
        self._key = hmac.digest(secret, b"decision", "sha256")
        self._console = console_url.rstrip("/")

    def page_of(self, run: str, row: str) -> str:
        """Return where anybody who logs in sees a row."""
        return f"{self._console}/runs/{quote(run)}/rows/{quote(row, safe='/')}"

    def link_for(self, person: str, item: Item, attempt: int, round: int) -> str:  # noqa: A002 -- of a review
        """Return where a person decides with one click; the same for every repetition of a message."""
        claim = DecisionClaim(run=item.run, row=item.row, attempt=attempt, round=round, person=person)
        return self.link(claim, datetime.fromisoformat(item.at))

    def link(self, claim: DecisionClaim, at: datetime) -> str:
        """Return the address that lets a person decide once.

        Args:
            claim: On what, and who.
            at: When it is told; a message that is sent again says the same link.
        """
        claims = {**claim.model_dump(), "aud": _AUDIENCE, "iat": at, "exp": at + LIFETIME}
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return f"{self._console}{DECIDE_PAGE}?{urlencode({'token': token})}"

    def read(self, token: str) -> DecisionClaim:
        """Return what a link is for.

        Raises:
            LinkInvalid: It is none of ours, or too old.
        """
        try:
            claims = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=_AUDIENCE, options={"require": ["exp", "aud"]}
            )
            return DecisionClaim.model_validate(claims)
        except jwt.ExpiredSignatureError:
            days = LIFETIME.days
            raise LinkInvalid(f"this link is older than {days} days; open the review in the console") from None
        except (jwt.InvalidTokenError, ValidationError):
            raise LinkInvalid("this link is not valid; open the review in the console") from None


class SqlUsedLinks:
    """Remembers which links were used, and for what.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def use(self, token: str, choice: str) -> str:
        """Use a link up, and return the key of the decision: a repetition of the same one has the same key.

        Args:
            token: The link's token.
            choice: What is decided.

        Raises:
            LinkInvalid: It was used for another decision.
        """
        digest, chosen = _digest(token), _digest(choice)
        statement = insert(_USED).values(token=digest, choice=chosen, used_at=timestamp())
        try:
            await self._transactions.run(lambda connection: connection.execute(statement))
        except IntegrityError:
            earlier = select(_USED.c.choice).where(_USED.c.token == digest)
            if await self._transactions.run(lambda connection: connection.scalar(earlier)) != chosen:
                raise LinkInvalid("this link was used already; every link decides once") from None
        return digest[:32]

    async def used(self, token: str) -> bool:
        """Return whether a link was used."""
        statement = select(_USED.c.token).where(_USED.c.token == _digest(token))
        return await self._transactions.run(lambda connection: connection.scalar(statement)) is not None

    async def give_back(self, token: str) -> None:
        """Make a link good again: nothing was decided by it."""
        statement = delete(_USED).where(_USED.c.token == _digest(token))
        await self._transactions.run(lambda connection: connection.execute(statement))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
