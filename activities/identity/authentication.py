"""Finding out who somebody is: logins, and the proof that a request carries."""

import hmac
import time
from dataclasses import dataclass

from activities.audit.actor import acting
from activities.audit.contracts import AuditKind
from activities.audit.service import AuditLog
from activities.identity.access import ACCESS_SECONDS, AccessTokens
from activities.identity.audited import refused_login
from activities.identity.contracts import (
    FIRST_USER,
    TOKEN_PREFIX,
    BrowserLogin,
    Caller,
    InvalidCredentials,
    LoggedIn,
    Principal,
    Role,
    TooManyRequests,
    Unauthenticated,
    Via,
)
from activities.identity.external import SqlExternalIdentities
from activities.identity.passwords import Passwords
from activities.identity.sessions import LIFETIME, SqlSessions
from activities.identity.throttle import WINDOW_SECONDS, LoginThrottle
from activities.identity.tokens import SqlApiTokens, SqlLoginLinks
from activities.identity.users import SqlUsers

EVERYTHING = tuple(Role)


@dataclass(frozen=True)
class Identity:
    """Who there is, and how they prove it.

    Args:
        service_token: The installation's own token (``PRISM_API_TOKEN``), empty for none.
    """

    users: SqlUsers
    external: SqlExternalIdentities
    sessions: SqlSessions
    tokens: SqlApiTokens
    links: SqlLoginLinks
    passwords: Passwords
    access: AccessTokens
    throttle: LoginThrottle
    audit: AuditLog
    service_token: str = ""

    async def login(self, name: str, password: str, caller: Caller) -> LoggedIn:
        """Log a program or a command line in.

        Raises:
            InvalidCredentials: Name or password is wrong, or the user is disabled; it is not said which.
            TooManyRequests: It was tried too often.
        """
        await self._check(name, password, caller)
        return await self._logged_in(name, caller)

    async def login_browser(self, name: str, password: str, caller: Caller) -> BrowserLogin:
        """Log a browser in; raises as :meth:`login`."""
        await self._check(name, password, caller)
        return await self._browser(name, caller)

    async def browser_session(self, name: str, caller: Caller) -> BrowserLogin:
        """Log a browser in whom somebody else has proven to be this user."""
        return await self._browser(name, caller)

    async def redeem(self, link: str, password: str, caller: Caller) -> LoggedIn:
        """Log in by a one-time link, and set the password that counts from then on.

        Raises:
            InvalidCredentials: The link is not good.
            TooManyRequests: It was tried too often.
        """
        return await self._logged_in(await self._redeemed(link, password, caller), caller)

    async def redeem_browser(self, link: str, password: str, caller: Caller) -> BrowserLogin:
        """Do as :meth:`redeem` for a browser."""
        return await self._browser(await self._redeemed(link, password, caller), caller)

    async def refresh(self, refresh_token: str) -> LoggedIn:
        """Return new tokens for a refresh token, which is spent.

        Raises:
            InvalidCredentials: It is not good.
            TokenReused: It was spent before; its session has ended.
        """
        user, session, following = await self.sessions.rotate(refresh_token)
        return LoggedIn(
            user=await self.users.get(user),
            session=session,
            access_token=self.access.issue(user, session),
            expires_in=ACCESS_SECONDS,
            refresh_token=following,
        )

    async def change_password(self, principal: Principal, current: str, new: str, caller: Caller) -> None:
        """Set one's own password; one's other sessions end.

        Raises:
            InvalidCredentials: The current password is wrong.
            TooManyRequests: It was tried too often.
        """
        await self._check(principal.name, current, caller)
        hashed = await self.passwords.hashed(new)
        await self.users.set_password(principal.name, hashed, keep_session=principal.session)

    async def bearer(self, secret: str) -> Principal:
        """Return who a bearer token stands for: the service, a program's token, or a session's access token.

        Raises:
            Unauthenticated: Nobody.
        """
        if self.is_service(secret):
            return Principal(name="service", roles=EVERYTHING, via=Via.SERVICE)
        if secret.startswith(TOKEN_PREFIX):
            principal = await self.tokens.principal(secret)
        else:
            principal = await self.sessions.principal(session=self.access.session_of(secret))
        if principal is None:
            raise Unauthenticated("the token is not valid any more; log in again or make another")
        return principal

    async def browser(self, cookie: str) -> Principal | None:
        """Return who a browser's cookie stands for; ``None`` when its session has ended."""
        return await self.sessions.principal(cookie=cookie)

    def is_service(self, secret: str) -> bool:
        """Return whether this is the installation's own token."""
        known = self.service_token.encode()
        return bool(known) and hmac.compare_digest(secret.encode(), known)

    async def first_link(self) -> str | None:
        """Return a login link for the first administrator; ``None`` as soon as an administrator can log in.

        The user ``admin`` is created where there is no administrator. A link that was never used is replaced at the
        next start, as otherwise one that was lost would lock everybody out.
        """
        admins = [user for user in await self.users.all() if Role.ADMIN in user.roles and not user.disabled]
        if any(user.has_password for user in admins):
            return None
        if not admins:
            admins = [await self.users.create(FIRST_USER, [Role.ADMIN])]
        return await self.links.create(admins[0].name)

    async def _check(self, name: str, password: str, caller: Caller) -> None:
        await self._attempt(name, name, caller)
        # A name that nobody has costs the same time as a wrong password, and gets the same answer.
        if not await self.passwords.holds(await self.users.password_of(name), password):
            await self.audit.write(refused_login(AuditKind.LOGIN_FAILED, await self.users.known(name), caller))
            raise InvalidCredentials("user or password is wrong")
        self.throttle.succeeded(name, caller.address)

    async def _redeemed(self, link: str, password: str, caller: Caller) -> str:
        # No user is called so: 256 bits are not guessed, hence only the address counts.
        key = f"link from {caller.address}"
        await self._attempt(key, "", caller)
        try:
            user = await self.links.redeem(link)
        except InvalidCredentials:
            await self.audit.write(refused_login(AuditKind.LOGIN_FAILED, None, caller))
            raise
        self.throttle.succeeded(key, caller.address)
        hashed = await self.passwords.hashed(password)
        with acting(user):
            await self.users.set_password(user, hashed)
        return user

    async def _attempt(self, counted: str, name: str, caller: Caller) -> None:
        try:
            self.throttle.attempt(counted, caller.address)
        except TooManyRequests:
            user = await self.users.known(name)
            # One entry for a place and a name in a window: whoever floods the door shall not flood the log.
            key = f"throttled/{user or ''}/{caller.address}/{int(time.time() // WINDOW_SECONDS)}"
            await self.audit.write(refused_login(AuditKind.LOGIN_THROTTLED, user, caller, key))
            raise

    async def _logged_in(self, name: str, caller: Caller) -> LoggedIn:
        session, refresh_token = await self.sessions.open(name, Via.SESSION, caller)
        return LoggedIn(
            user=await self.users.get(name),
            session=session,
            access_token=self.access.issue(name, session),
            expires_in=ACCESS_SECONDS,
            refresh_token=refresh_token,
        )

    async def _browser(self, name: str, caller: Caller) -> BrowserLogin:
        session, cookie = await self.sessions.open(name, Via.COOKIE, caller)
        lifetime = int(LIFETIME[Via.COOKIE].total_seconds())
        return BrowserLogin(user=await self.users.get(name), session=session, cookie=cookie, max_age=lifetime)
