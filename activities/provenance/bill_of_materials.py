"""What the platform is made of, as a CycloneDX bill of materials: the same bytes for the same installation."""

import functools
import hashlib
import json
import platform
import uuid
from importlib.metadata import Distribution, distributions, version
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

PRODUCT: Final = "prism-console"
# Some packages give the whole text of their licence in place of its name.
_LICENSE_CHARACTERS: Final = 80


@functools.cache
def bill_of_materials() -> bytes:
    """Return the bill of materials of this environment (CycloneDX 1.6, JSON): Python and every package installed."""
    found: dict[str, Distribution] = {canonicalize_name(each.name): each for each in distributions() if each.name}
    components: dict[str, Component] = {
        name: _component(name, found[name]) for name in sorted(found) if name != PRODUCT
    }
    product = Component(
        name=PRODUCT, version=version(PRODUCT), type=ComponentType.APPLICATION, bom_ref=PRODUCT, purl=_purl(PRODUCT)
    )
    python = Component(
        name="python", version=platform.python_version(), type=ComponentType.PLATFORM, bom_ref="platform:python"
    )
    bom = Bom(components=[*components.values(), python], metadata=BomMetaData(component=product))
    described: dict[str, Component] = {**components, PRODUCT: product}
    for name, component in described.items():
        needed = _needed(found[name]) & components.keys()
        bom.register_dependency(component, [components[one] for one in sorted(needed)])
    bom.register_dependency(product, [python])
    return _written(bom)


def _component(name: str, found: Distribution) -> Component:
    told = found.metadata.json
    license_ = str(told.get("license_expression") or told.get("license") or "")
    named = license_ and "\n" not in license_ and len(license_) <= _LICENSE_CHARACTERS
    return Component(
        name=name,
        version=found.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}@{found.version}",
        purl=_purl(name, found.version),
        licenses=[LicenseFactory().make_from_string(license_)] if named else (),
    )


def _purl(name: str, release: str = "") -> PackageURL:
    return PackageURL("pypi", name=name, version=release or version(name))


def _needed(found: Distribution) -> set[str]:
    """Return the names of what a package needs here; its extras are not asked for by anybody we know of."""
    wanted = [one for line in found.requires or () if (one := _requirement(line))]
    return {canonicalize_name(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}


def _requirement(line: str) -> Requirement | None:
    """Return a requirement; ``None`` for one of the old forms that no installer of today reads."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _written(bom: Bom) -> bytes:
    """Return the document without its moment, and with an id that follows from its content."""
    written = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    del written["metadata"]["timestamp"], written["serialNumber"]
    content = json.dumps(written, sort_keys=True).encode()
    written["serialNumber"] = uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4).urn
    return json.dumps(written, sort_keys=True, indent=1).encode()
