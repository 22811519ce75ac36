"""A database of vulnerabilities as Trivy reads it: a bbolt file that holds the advisories a test wants, and no others.

The form of the file is that of https://github.com/etcd-io/bbolt (pages of 4 KiB), its buckets are those of schema 2 of
https://github.com/aquasecurity/trivy-db. The real one comes from registries that tests do not ask.
"""

import json
import struct
from pathlib import Path
from typing import Any

PAGE = 4096
_META, _FREELIST, _LEAF, _BUCKET = 0x04, 0x10, 0x02, 0x01
_MAGIC, _VERSION = 0xED0CDAED, 2
# A tree of buckets: what is a table is a bucket.
Bucket = dict[str, Any]

PIP = "pip::GitHub Security Advisory pip"
DATABASE: Bucket = {
    "data-source": {
        PIP: {"ID": "ghsa", "Name": "GitHub Security Advisory pip", "URL": "https://github.com/advisories"}
    },
    PIP: {
        "pyyaml": {"CVE-2020-14343": {"PatchedVersions": ["5.4"], "VulnerableVersions": ["< 5.4"]}},
        "jinja2": {"CVE-2024-22195": {"PatchedVersions": ["3.1.3"], "VulnerableVersions": ["< 3.1.3"]}},
    },
    "vulnerability": {
        "CVE-2020-14343": {
            "Title": "PyYAML: incomplete fix for CVE-2020-1747",
            "Description": "full_load of an untrusted file runs code.",
            "Severity": "CRITICAL",
            "VendorSeverity": {"ghsa": 4},
        },
        "CVE-2024-22195": {
            "Title": "jinja2: HTML attribute injection",
            "Description": "The xmlattr filter takes keys with spaces.",
            "Severity": "MEDIUM",
            "VendorSeverity": {"ghsa": 2},
        },
    },
}


def write_database(cache: Path) -> Path:
    """Write the database into a cache folder of Trivy's and return the folder."""
    folder = cache / "db"
    folder.mkdir(parents=True)
    (folder / "trivy.db").write_bytes(_file(DATABASE))
    moments = {"UpdatedAt": "2026-11-20T06:00:00Z", "NextUpdate": "2026-11-21T06:00:00Z"}
    (folder / "metadata.json").write_text(json.dumps({"Version": 2, **moments, "DownloadedAt": "2026-11-20T08:00:00Z"}))
    return cache


def _file(buckets: Bucket) -> bytes:
    """Return the file: two meta pages, an empty list of free pages, the root, and a page for each bucket below it."""
    pages = {name: number for number, name in enumerate(sorted(buckets), 4)}
    root = _page(3, _LEAF, {name: (_BUCKET, struct.pack("<QQ", page, 0)) for name, page in pages.items()})
    leaves = [_page(page, _LEAF, _entries(buckets[name])) for name, page in pages.items()]
    end = 4 + len(leaves)
    return b"".join([_meta(0, end), _meta(1, end), _page(2, _FREELIST, {}), root, *leaves])


def _entries(bucket: Bucket) -> dict[str, tuple[int, bytes]]:
    """Return what is in a bucket; one that holds further tables is written within it."""
    found = {}
    for name, value in bucket.items():
        nested = all(isinstance(one, dict) for one in value.values())
        inline = struct.pack("<QQ", 0, 0) + _leaf(0, _LEAF, _entries(value)) if nested else json.dumps(value).encode()
        found[name] = (_BUCKET if nested else 0, inline)
    return found


def _page(number: int, kind: int, entries: dict[str, tuple[int, bytes]]) -> bytes:
    page = _leaf(number, kind, entries)
    assert len(page) <= PAGE, "a bucket of this small database has one page"
    return page.ljust(PAGE, b"\0")


def _leaf(number: int, kind: int, entries: dict[str, tuple[int, bytes]]) -> bytes:
    heads, data = b"", b""
    for place, (name, (flags, value)) in enumerate(sorted(entries.items())):
        key = name.encode()
        # The place of the data is told from where its head begins.
        heads += struct.pack("<IIII", flags, 16 * (len(entries) - place) + len(data), len(key), len(value))
        data += key + value
    return struct.pack("<QHHI", number, kind, len(entries), 0) + heads + data


def _meta(number: int, end: int) -> bytes:
    told = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, PAGE, 0, 3, 0, 2, end, number)
    page = struct.pack("<QHHI", number, _META, 0, 0) + told + struct.pack("<Q", _fnv(told))
    return page.ljust(PAGE, b"\0")


def _fnv(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash, by which bbolt knows that a meta page is whole."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001B3 % 2**64
    return found
