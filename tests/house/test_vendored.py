"""Files of others that we ship."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "api" / "console" / "static" / "vendor"
LISTED = re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.MULTILINE)


def test_every_vendored_file_is_the_one_that_its_package_published() -> None:
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert there == dict(LISTED)
