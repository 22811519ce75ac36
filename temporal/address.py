"""Where Temporal is; apart from the client, whose SDK a command that only asks the API has no use for."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from temporal.names import DEFAULT_NAMESPACE


class TemporalAddress(BaseModel):
    """Where the Temporal server is and how it is asked.

    Args:
        target: ``host:port`` of the frontend service.
        tls: Use TLS; implied by an API key or a client certificate.
        client_cert: PEM file of the client's certificate chain (mTLS).
        client_key: PEM file of its private key.
        server_ca: PEM file of the CA that signed the server's certificate, where it is a private one.
        encryption_keys: File of the keys that encrypt payloads, made on first use; ``None`` leaves them plain.
    """

    model_config = ConfigDict(frozen=True)

    target: str = "127.0.0.1:7233"
    namespace: str = DEFAULT_NAMESPACE
    tls: bool = False
    client_cert: Path | None = None
    client_key: Path | None = None
    server_ca: Path | None = None
    api_key: SecretStr | None = None
    encryption_keys: Path | None = None
