"""The commands ``prism keys list`` and ``prism keys rotate``."""

import click
from rich.text import Text

from api.cli.session import Session, with_session
from temporal.key_ring import KeyRing, rotate


@click.group()
def keys() -> None:
    """List and rotate the keys that encrypt what Temporal stores."""


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
