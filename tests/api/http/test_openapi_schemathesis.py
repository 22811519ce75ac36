"""What OpenAPI says is what the API does: schemathesis makes requests, valid and not, from the served document."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
)

from tests.api.http.serving import Serving

SECONDS = 20
# Data that fits the schema may still name no run or hold no catalog: that is a 4xx, rightly.
NOT_MEANT = [positive_data_acceptance, ignored_auth, missing_required_header]


@pytest.fixture(scope="session")
def document(running: Serving) -> Any:
    """The document as it is served."""
    return schemathesis.openapi.from_url(f"{running.url}/openapi.json")


# A stream of everything never ends; its own tests follow it.
ENDLESS = "/api/v1/events"
# No model gateway runs here, so that this is a 503, rightly; the tests of the gateway clear its cache.
NEEDS_GATEWAY = "DELETE /api/v1/cache"


@pytest.fixture(scope="session")
def operations(document: Any) -> dict[str, Any]:
    """The document's operations by method and path."""
    found = [result.ok() for result in document.get_all_operations()]
    named = {f"{one.method.upper()} {one.path}": one for one in found if one.path != ENDLESS}
    del named[NEEDS_GATEWAY]
    return named


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_fit_the_document(operations: dict[str, Any], mode: GenerationMode) -> None:
    failures: dict[str, str] = {}
    for name, operation in operations.items():

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        def answers_fit(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE:
                _sometimes_known(case)
            # Every text is a catalog's text: what JSON would call a wrong type is a string once it is sent.
            untyped = [] if case.media_type in {None, "application/json"} else [negative_data_rejection]
            case.call_and_validate(excluded_checks=[*NOT_MEANT, *untyped], timeout=SECONDS)

        try:
            answers_fit()
        except (FailureGroup, Unsatisfiable) as failure:
            if not isinstance(failure, Unsatisfiable):
                failures[name] = f"{failure}\n{failure.exceptions}"
    assert not failures, "\n\n".join(f"{name}\n{told}" for name, told in failures.items())


def _sometimes_known(case: schemathesis.Case) -> None:
    """Name a run and a row that are there in two cases of three."""
    given_run = str(case.path_parameters.get("run", ""))
    if given_run and len(given_run) % 3:
        # The events of a run that goes on have no end.
        ends = len(given_run) % 2 or case.path.endswith("/events")
        case.path_parameters["run"] = "ended" if ends else "going"
        if "row" in case.path_parameters:
            case.path_parameters["row"] = "ops/large"


def test_the_document_is_complete(seeded: Serving) -> None:
    served = httpx.get(f"{seeded.url}/openapi.json", timeout=60).json()
    assert served["openapi"].startswith("3.1")
    for path, operations in served["paths"].items():
        for method, operation in operations.items():
            told = f"{method} {path}"
            assert operation.get("description"), told
            assert operation.get("tags"), told
            for status in ("401", "403", "413"):
                content = operation["responses"][status]["content"]["application/json"]
                assert content["schema"]["$ref"].endswith("/ErrorEnvelope"), told
            invalid = operation["responses"].get("422")
            assert invalid is None or "HTTPValidationError" not in str(invalid), told
