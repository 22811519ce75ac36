"""``prism keys``."""

from pathlib import Path

from temporal.key_ring import KeyRing
from tests.api.cli.conftest import Prism


def test_a_rotated_key_is_the_last_of_the_list_and_no_key_is_shown(prism_command: Prism, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert "there is no key" in prism_command("keys", "list", PRISM_HOME=home).stdout
    assert prism_command("keys", "rotate", PRISM_HOME=home).returncode == 0
    listed = prism_command("keys", "list", PRISM_HOME=home).stdout
    path = tmp_path / "home" / "keys" / "encryption.keys"
    old, new = KeyRing(path).ids
    assert [line.split() for line in listed.splitlines()] == [[old], [new, "encrypts"]]
    assert all(line.split()[1] not in listed for line in path.read_text().splitlines())
