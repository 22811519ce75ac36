"""The names that Prism's statements use for what they mean. They never change: a new meaning takes a new name.

``FORMATS.md`` beside this file defines each; its section on names says why they are UUIDs.
"""

from typing import Final

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
SLSA_PROVENANCE: Final = "https://slsa.dev/provenance/v1"

_FORMATS: Final = "urn:uuid:3dd641f9-8939-4bc1-baf0-1557f595c369"
ROW_BUILD: Final = f"{_FORMATS}#row-v1"
BUILDER: Final = f"{_FORMATS}#prism-v1"
RUN_SEAL: Final = f"{_FORMATS}#run-seal-v1"
