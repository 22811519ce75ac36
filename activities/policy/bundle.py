"""OPA's own Go engine, as a shared library in this process, with the policies of a folder."""

import json
from collections.abc import Iterable
from typing import Any

from opa_bindings import OpaEngine, OpaError

from activities.policy.contracts import PolicyUnavailable
from activities.policy.folder import PolicyFolder


class RegoBundle:
    """Evaluates rules of policies.

    Args:
        policies: As they were read.
        entries: Rules that have to be there, such as ``admission.decision``.

    Raises:
        PolicyUnavailable: The policies do not compile, or lack one of the rules.
    """

    def __init__(self, policies: PolicyFolder, entries: Iterable[str]) -> None:
        self.policies = policies
        self.digest = policies.digest
        self._engine = open_engine(policies)
        for entry in entries:
            self.evaluate(entry, {})

    def evaluate(self, entry: str, document: dict[str, Any]) -> Any:  # noqa: ANN401 -- a Rego value
        """Return a rule's value for an input.

        A fifth of a millisecond: a thread would cost more than it frees.

        Raises:
            PolicyUnavailable: The engine failed.
        """
        try:
            return self._engine.eval_document(entry, document)
        except OpaError as error:
            raise PolicyUnavailable(f"policy {entry} could not be evaluated: {error}") from error


def open_engine(policies: PolicyFolder, *, with_tests: bool = False) -> OpaEngine:
    """Return an engine that holds policies.

    Args:
        policies: What it evaluates.
        with_tests: Whether it holds their Rego tests too.

    Raises:
        PolicyUnavailable: They do not compile.
    """
    engine = OpaEngine()
    modules = policies.modules | (policies.tests if with_tests else {})
    try:
        for path, source in modules.items():
            engine.add_policy(str(path), source.decode())
        for path, source in policies.documents.items():
            engine.add_data(json.loads(source), ".".join(path.parent.parts))
        engine.eval_query("true")
    except (OpaError, ValueError) as error:
        raise PolicyUnavailable(f"the policies in {policies.folder} do not compile: {error}") from error
    return engine
