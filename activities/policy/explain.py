"""Why a policy decided as it did: the rules that held for an input, by the titles of their annotations."""

import re
from pathlib import Path
from typing import Any

import yaml
from opa_bindings import OpaError
from pydantic import PositiveInt

from activities.policy.bundle import open_engine
from activities.policy.contracts import PolicyUnavailable
from activities.policy.folder import PolicyFolder
from temporal.contract import Contract


class HeldRule(Contract):
    """A rule whose conditions an input met.

    Args:
        name: Of the rule, such as ``deny``.
        title: As its METADATA says.
        description: The same at length; often empty.
        file: Where it is, within the policies.
        line: From 1.
    """

    name: str
    title: str
    description: str = ""
    file: str
    line: PositiveInt


class Explanation(Contract):
    """A decision and what led to it, by any policy package.

    Args:
        decision: As the policy gave it.
        rules: Rules that held, in the order they are written.
        policy: Digest of the package's files.
    """

    decision: Any
    rules: tuple[HeldRule, ...]
    policy: str


def explain(policies: PolicyFolder, package: str, document: object) -> Explanation:
    """Evaluate the decision of a package and say which rules held.

    Args:
        policies: Holds the package.
        package: Such as ``admission``.
        document: The input.

    Raises:
        PolicyUnavailable: The policies do not compile, or have no such decision.
    """
    engine = open_engine(policies)
    try:
        decision = engine.eval_document(f"{package}.decision", document, trace=True)
    except OpaError as error:
        raise PolicyUnavailable(f"policy {package}.decision could not be evaluated: {error}") from error
    left = {_exit(event) for event in engine.last_trace or [] if event["op"] == "Exit"}
    rules = [rule for path, source in sorted(policies.modules.items()) for rule in annotated(path, source.decode())]
    held = tuple(rule for rule in rules if (f"{rule.file}:{rule.line}", rule.name) in left)
    return Explanation(decision=decision, rules=held, policy=policies.digest)


def annotated(path: Path, source: str) -> list[HeldRule]:
    """Return every clause of a module with its title; one annotation of scope ``document`` serves all of a name."""
    found, shared = [], dict[str, dict[str, Any]]()
    notes: list[str] = []
    for line, text in enumerate(source.splitlines(), start=1):
        if text.startswith("#"):
            notes.append(text.removeprefix("#").removeprefix(" "))
        elif re.match(r"[a-z_]", text):
            name = re.split(r"[\s(\[]", text.removeprefix("default "))[0]
            own = _metadata(notes)
            if own.get("scope") == "document":
                shared[name] = own
            about = own or shared.get(name, {})
            if name not in ("package", "import"):
                told = " ".join(str(about.get("description", "")).split())
                title = str(about.get("title", ""))
                found.append(HeldRule(name=name, title=title, description=told, file=str(path), line=line))
            notes = []
    return found


def _exit(event: dict[str, Any]) -> tuple[str, str]:
    # What a rule negates leaves a trace on the rule's own line, under another name, and so does a default: no reasons.
    return event["location"], re.split(r"[\s(\[]", event["node"])[0]


def _metadata(notes: list[str]) -> dict[str, Any]:
    if "METADATA" not in notes:
        return {}
    read = yaml.safe_load("\n".join(notes[notes.index("METADATA") + 1 :]))
    return read if isinstance(read, dict) else {}
