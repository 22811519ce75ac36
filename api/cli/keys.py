"""The commands ``prism keys list``, ``rotate``, ``signing`` and ``rotate-signing``."""

import asyncio
import getpass

import click
from rich.text import Text

from activities.audit.contracts import AuditEvent, AuditKind
from activities.provenance.keys import keyid_of, public_key
from api.cli.session import Session, with_session
from temporal.key_ring import KeyRing, rotate
from workers.provenance import public_keys, rotate_signing_key


@click.group()
def keys() -> None:
    """List and rotate the keys that encrypt and those that sign."""


@keys.command(name="list")
@with_session
def list_(session: Session) -> None:
    """List the ids of the keys, oldest first; the last one encrypts. Keys themselves are never shown."""
    path = session.settings.encryption_keys
    ids = KeyRing(path).ids if path.exists() else ()
    lines = [Text(f"{key_id}{'  encrypts' if key_id == ids[-1] else ''}") for key_id in ids]
    session.show({"keys": list(ids)}, *(lines or [Text(f"there is no key in {path} yet", style="dim")]))


@keys.command(name="rotate")
@with_session
def rotate_(session: Session) -> None:
    """Add a key that encrypts from now on; running processes notice, and old keys go on decrypting."""
    key_id = rotate(session.settings.encryption_keys)
    session.show({"key": key_id}, Text(f"✓ {key_id} encrypts from now on"))


@keys.command()
@with_session
def signing(session: Session) -> None:
    """List the ids of the keys that sign or signed rows, runs and the audit log, and where the public keys are."""
    settings = session.settings
    current = settings.public_key
    signs = keyid_of(public_key(current.read_bytes())) if current.exists() else ""
    ids = public_keys(settings).keys().ids
    lines = [Text(f"{key_id}{'  signs' if key_id == signs else ''}") for key_id in ids]
    place = Text(f"public keys are in {settings.public_keys}", style="dim")
    found = {"keys": list(ids), "signs": signs, "folder": str(settings.public_keys)}
    session.show(found, *([*lines, place] if lines else [Text("there is no key yet", style="dim")]))


@keys.command(name="rotate-signing")
@with_session
def rotate_signing(session: Session) -> None:
    """Sign with a new key from now on; running processes notice, and what old keys signed stays provable."""
    settings = session.settings

    async def both() -> str:
        from workers.audit import open_audit  # noqa: PLC0415 -- imports the database
        from workers.compose import open_stores  # noqa: PLC0415 -- likewise

        key_id = await rotate_signing_key(settings)
        audit = open_audit(settings, open_stores(settings).engine)
        event = AuditEvent(
            kind=AuditKind.SIGNING_KEY_ROTATED, actor=getpass.getuser(), subject="signing-key", detail={"key": key_id}
        )
        await audit.write(event)
        return key_id

    key_id = asyncio.run(both())
    told = Text(f"✓ {key_id} signs from now on; hand {settings.public_key} to those who verify")
    session.show({"key": key_id}, told)
