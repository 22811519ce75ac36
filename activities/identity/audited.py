"""What the audit log is told of accounts. Never a secret, and of an unknown name not even the name."""

from collections.abc import Sequence

from activities.audit.contracts import NOBODY, AuditEvent, AuditKind
from activities.identity.contracts import Caller, Role, User


def about_user(
    kind: AuditKind, name: str, *, actor: str = "", before: User | None = None, after: User | None = None
) -> AuditEvent:
    """Return an event about an account, with what it may do now and what it might before."""
    detail = {when: _rights(user) for when, user in (("before", before), ("after", after)) if user is not None}
    return AuditEvent(kind=kind, actor=actor, subject=f"user/{name}", detail=detail)


def kept_administrator(name: str, roles: Sequence[Role]) -> AuditEvent:
    """Return an event about the last administrator, who stays one though the provider named only these roles."""
    detail = {
        "provider": [role.value for role in roles],
        "reason": "the provider does not name the role admin, but nobody else who can log in has it",
    }
    return AuditEvent(kind=AuditKind.ADMIN_KEPT, subject=f"user/{name}", detail=detail)


def about_session(
    kind: AuditKind, user: str, session: str, actor: str = "", caller: Caller | None = None
) -> AuditEvent:
    """Return an event about a session."""
    where = {"address": caller.address, "agent": caller.agent} if caller else {}
    return AuditEvent(kind=kind, actor=actor, subject=f"user/{user}", detail={"session": session, **where})


def about_token(kind: AuditKind, user: str, token: str, title: str = "", scopes: tuple[str, ...] = ()) -> AuditEvent:
    """Return an event about an API token."""
    made = {"title": title, "scopes": list(scopes)} if title else {}
    return AuditEvent(kind=kind, subject=f"user/{user}", detail={"token": token, **made})


def refused_login(kind: AuditKind, user: str | None, caller: Caller, key: str = "") -> AuditEvent:
    """Return an event about somebody who did not get in.

    Args:
        kind: What happened.
        user: The account they tried; ``None`` where there is none of the name, as people type passwords there.
        caller: Where they tried from.
        key: Makes many such events one.
    """
    detail = {"address": caller.address, "agent": caller.agent}
    return AuditEvent(kind=kind, actor=NOBODY, subject=f"user/{user}" if user else "", detail=detail, key=key)


def _rights(user: User) -> dict[str, object]:
    return {
        "roles": [role.value for role in user.roles],
        "boards": [f"{grant.board}: {grant.role.value}" for grant in user.boards],
        "disabled": user.disabled,
    }
