"""The policies of a folder: their files, and the digest by which a decision names them."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from activities.artifacts.contracts import digest_of

# Who may send requests is decided apart from what may run: the digest that provenance records of the one does not
# change with the other.
AUTHORISATION: Final = "authz"


def admission_only(package: str) -> bool:
    """Tell whether a package is about what may run."""
    return package != AUTHORISATION


@dataclass(frozen=True)
class PolicyFolder:
    """Rego modules and data documents, by path within their folder.

    Args:
        folder: Where they were read.
        modules: Without tests.
        documents: For package path ``a.b``, the data document ``a/b/data.json``.
        tests: Rego tests; they decide nothing and are in no digest.
    """

    folder: Path
    modules: dict[Path, bytes]
    documents: dict[Path, bytes]
    tests: dict[Path, bytes]

    @property
    def files(self) -> dict[Path, bytes]:
        """All that decides."""
        return dict(sorted((self.modules | self.documents).items()))

    @property
    def manifest(self) -> bytes:
        """Path and digest of each file that decides, as JSON."""
        return json.dumps([[str(path), digest_of(data)] for path, data in self.files.items()]).encode()

    @property
    def digest(self) -> str:
        """Digest of all that decides."""
        return digest_of(self.manifest)

    def bundle(self) -> bytes:
        """Return an OPA bundle whose revision is the digest; the same files make the same bytes."""
        packages = sorted({path.parts[0] for path in self.files})
        manifest = json.dumps({"revision": self.digest, "roots": packages, "rego_version": 1}).encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in [(".manifest", manifest), *self.files.items()]:
                entry = tarfile.TarInfo(f"/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return gzip.compress(packed.getvalue(), mtime=0)


def read_policies(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> PolicyFolder:
    """Read the policies of a folder.

    Args:
        folder: Holds ``**/*.rego`` and ``**/data.json``.
        wanted: Whether the first part of a package path is asked for.
    """
    files = {path.relative_to(folder): path for path in sorted(folder.glob("**/*")) if path.is_file()}
    chosen = {name: path.read_bytes() for name, path in files.items() if wanted(name.parts[0])}
    rego = {name: data for name, data in chosen.items() if name.suffix == ".rego"}
    tests = {name: data for name, data in rego.items() if name.name.endswith("_test.rego")}
    return PolicyFolder(
        folder,
        modules={name: data for name, data in rego.items() if name not in tests},
        documents={name: data for name, data in chosen.items() if name.name == "data.json"},
        tests=tests,
    )
