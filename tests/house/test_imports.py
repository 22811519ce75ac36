"""What may import what, and what importing costs."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKFLOW_MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "workflows").glob("*.py")
)
HEAVY = {
    "aiohttp",
    "apprise",
    "boto3",
    "fastapi",
    "httpx",
    "jinja2",
    "jsonschema",
    "kubernetes",
    "litellm",
    "opa_bindings",
    "opa_client",
    "psycopg",
    "purgatory",
    "requests",
    "securesystemslib",
    "sqlalchemy",
    "sqlmodel",
    "uvicorn",
    "xllamacpp",
    "yaml",
}

# The model runtimes are the gateway's alone; the others are wanted by a signature, a vault or a JSON Schema.
USED_LATER = {"boto3", "hvac", "jsonschema", "kubernetes", "litellm", "llm", "securesystemslib", "xllamacpp"}


def loaded_by(*modules: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after importing modules."""
    told = "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    code = f"import json, sys, {', '.join(modules)}; {told}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_workflow_modules_load_no_backend() -> None:
    # In one interpreter: what none of them brings, no single one does.
    assert loaded_by(*WORKFLOW_MODULES) & HEAVY == set()


def test_what_takes_seconds_to_import_is_left_until_it_is_used() -> None:
    assert loaded_by("api.serve", "workers.worker", "workers.up") & USED_LATER == set()


def test_a_command_that_asks_the_api_or_reads_a_catalog_loads_neither_temporal_nor_a_database() -> None:
    commands = ("api.cli.catalogs", "api.cli.look", "api.cli.reading", "api.cli.steer", "workers.policy")
    assert loaded_by(*commands) & {"alembic", "sqlalchemy", "temporalio"} == set()
