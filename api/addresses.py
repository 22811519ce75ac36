"""Addresses as people may see them."""

from urllib.parse import urlsplit, urlunsplit


def without_password(url: str) -> str:
    """Return an address that may be shown."""
    try:
        parts = urlsplit(url)
        if parts.password is None and not parts.query:
            return url
        host = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}:***@" if parts.password is not None else parts.netloc.removesuffix(host)
        # A query may hold a password too, as in sslpassword.
        return urlunsplit(parts._replace(netloc=user + host, query="***" if parts.query else ""))
    except ValueError:
        return "set"
