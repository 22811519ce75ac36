"""What may import what, and what importing costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


def loaded_by(module: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after importing a module."""
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", WORKFLOW_MODULES)
def test_workflow_modules_load_no_backend(module: str) -> None:
    assert loaded_by(module) & HEAVY == set()


@pytest.mark.parametrize("module", ["api.app", "api.serve", "workers.worker", "workers.up"])
def test_what_takes_seconds_to_import_is_left_until_it_is_used(module: str) -> None:
    # The model runtimes are the gateway's alone; the others are wanted by a signature or a JSON Schema.
    assert loaded_by(module) & {"litellm", "xllamacpp", "securesystemslib", "boto3", "hvac", "jsonschema"} == set()
