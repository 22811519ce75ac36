"""``prism keys``."""

import json
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


def test_a_rotated_signing_key_is_audited_and_what_the_old_one_signed_still_counts(
    prism_command: Prism, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    assert "there is no key yet" in prism_command("keys", "signing", PRISM_HOME=home).stdout
    first = json.loads(prism_command("keys", "rotate-signing", "--json", PRISM_HOME=home).stdout)["key"]
    assert prism_command("audit", "verify", PRISM_HOME=home).returncode == 0
    done = prism_command("keys", "rotate-signing", PRISM_HOME=home)
    assert done.returncode == 0, done.stderr
    second = json.loads(prism_command("keys", "signing", "--json", PRISM_HOME=home).stdout)["signs"]
    listed = prism_command("keys", "signing", PRISM_HOME=home).stdout
    assert f"{second}  signs" in listed
    assert first in listed
    assert first != second
    verified = prism_command("audit", "verify", PRISM_HOME=home)
    assert verified.returncode == 0, verified.stdout
    assert "2 entries" in verified.stdout
