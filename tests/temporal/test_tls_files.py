"""Files of the connection to Temporal that are not there."""

from pathlib import Path

import pytest

from temporal.address import TemporalAddress
from temporal.client import TlsFileUnusable, connect


@pytest.mark.parametrize("setting", ["client_cert", "client_key", "server_ca"])
async def test_a_missing_file_is_named(tmp_path: Path, setting: str) -> None:
    missing = tmp_path / "missing.pem"
    address = TemporalAddress(tls=True).model_copy(update={setting: missing})
    with pytest.raises(TlsFileUnusable, match=r"missing\.pem cannot be read: No such file"):
        await connect(address, lazy=True)
