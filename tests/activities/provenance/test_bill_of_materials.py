"""The bill of materials is valid CycloneDX, names what is installed, and is the same file each time."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from activities.provenance.bill_of_materials import bill_of_materials


@pytest.fixture(scope="module")
def made() -> bytes:
    return bill_of_materials()


def test_it_is_valid_cyclonedx(made: bytes) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.decode()) is None


def test_it_is_the_same_file_for_the_same_installation(made: bytes) -> None:
    bill_of_materials.cache_clear()
    assert bill_of_materials() == made


def test_it_says_what_needs_what(made: bytes) -> None:
    told = json.loads(made)
    by_name = {component["name"]: component for component in told["components"]}
    needs = {one["ref"]: one.get("dependsOn", []) for one in told["dependencies"]}
    assert told["metadata"]["component"]["name"] == "prism-console"
    assert by_name["temporalio"]["bom-ref"] in needs["prism-console"]
    assert by_name["securesystemslib"]["purl"].startswith("pkg:pypi/securesystemslib@")
