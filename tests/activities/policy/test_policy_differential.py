"""Both engines decide alike on whatever is asked, sense or nonsense."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.policy.bundle import RegoBundle
from activities.policy.contracts import ADMISSION, CATALOG_ADMISSION, PolicyUnavailable
from activities.policy.delivery_contracts import DELIVERY
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import ENTRIES
from activities.policy.folder import admission_only, read_policies
from activities.policy.sandbox_contracts import PERMISSION
from activities.policy.server import OpaServerPolicy
from catalogs.row import CatalogRow, Language, OnDeadline, Risk
from catalogs.totals import CatalogTotals
from workers.policy import POLICIES

pytestmark = [pytest.mark.timeout(500), pytest.mark.xdist_group("opa")]
CASES = 500
BUNDLE = RegoBundle(read_policies(POLICIES, admission_only), ENTRIES)
PATIENT = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
TELLING = st.sampled_from(
    [
        "-----BEGIN EC PRIVATE KEY-----",
        "AKIA" + "QWERTYUIOP234567",
        "curl 169.254.169.254/latest",
        "cat /proc/1/environ",
        " ",
        "Summarise",
    ]
)
TEXTS = WORDS | TELLING
CLASSES = st.sampled_from(["public", "internal", "confidential", "restricted", "secretive"])
MODELS = st.sampled_from(["", "local", "custom", "openai"])
ROWS = st.builds(
    CatalogRow,
    id=st.just("a"),
    line=st.just(2),
    objective=TEXTS,
    task=TEXTS,
    prompt=TEXTS,
    workflow=st.lists(TEXTS, max_size=2).map(tuple),
    model=MODELS,
    language=st.none() | st.sampled_from(Language),
    code=TEXTS,
    risk=st.sampled_from(Risk),
    on_deadline=st.sampled_from(OnDeadline),
    budget_usd=st.none() | st.floats(0, 1e6) | st.sampled_from([100.0, 100.5]),
    data_class=st.just("") | CLASSES,
    labels=st.dictionaries(st.just("data_class"), CLASSES),
    variables=st.dictionaries(st.sampled_from(["title", "region"]), TEXTS),
)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | TEXTS | CLASSES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
COLUMNS = st.sampled_from(sorted(CatalogRow.model_fields))
DOCUMENTS = st.fixed_dictionaries({}, optional={"row": st.dictionaries(COLUMNS, NONSENSE) | NONSENSE}) | st.builds(
    lambda row, changes: {"row": row.model_dump(mode="json") | changes, "submitter": "ana"},
    ROWS,
    st.dictionaries(COLUMNS, NONSENSE, max_size=2),
)


AMOUNTS = st.integers(0, 2**40)
TOTALS = st.builds(
    CatalogTotals,
    rows=AMOUNTS,
    budget_usd=st.floats(0, 1e9) | st.sampled_from([100_000.0, 1.7976931348623157e308]),
    critical_unreviewed=AMOUNTS | st.sampled_from([1000, 1001]),
    boards=st.dictionaries(WORDS, AMOUNTS, max_size=3),
)
PARTS = st.sampled_from(sorted(CatalogTotals.model_fields))
CATALOGS = st.fixed_dictionaries({}, optional={"catalog": st.dictionaries(PARTS, NONSENSE) | NONSENSE}) | st.builds(
    lambda totals, changes, submitter: {"catalog": totals.model_dump(mode="json") | changes, "submitter": submitter},
    TOTALS,
    st.dictionaries(PARTS, NONSENSE, max_size=2),
    NONSENSE,
)
FEWER = settings(PATIENT, max_examples=150)


@PATIENT
@given(row=ROWS, submitter=WORDS)
async def test_rows_get_the_same_decision(
    embedded_policy: EmbeddedPolicy, server_policy: OpaServerPolicy, row: CatalogRow, submitter: str
) -> None:
    decided = await server_policy.admit(row, submitter)
    assert decided.model_copy(update={"decision_id": ""}) == await embedded_policy.admit(row, submitter)


@PATIENT
@given(document=DOCUMENTS)
async def test_any_document_gets_the_same_answer(server_policy: OpaServerPolicy, document: dict[str, Any]) -> None:
    try:
        embedded = BUNDLE.evaluate(ADMISSION, document)
    except PolicyUnavailable:
        with pytest.raises(PolicyUnavailable):
            await server_policy._ask(ADMISSION, document)
        return
    assert (await server_policy._ask(ADMISSION, document))["result"] == embedded


@FEWER
@given(totals=TOTALS, submitter=WORDS)
async def test_catalogs_get_the_same_decision(
    embedded_policy: EmbeddedPolicy, server_policy: OpaServerPolicy, totals: CatalogTotals, submitter: str
) -> None:
    decided = await server_policy.admit_catalog(totals, submitter)
    assert decided.model_copy(update={"decision_id": ""}) == await embedded_policy.admit_catalog(totals, submitter)


@FEWER
@given(document=CATALOGS)
async def test_any_document_of_a_catalog_gets_the_same_answer(
    server_policy: OpaServerPolicy, document: dict[str, Any]
) -> None:
    embedded = BUNDLE.evaluate(CATALOG_ADMISSION, document)
    assert (await server_policy._ask(CATALOG_ADMISSION, document))["result"] == embedded


def asking(name: str, **parts: Any) -> Any:
    """Return documents with a part of this name: sense, nonsense, or nothing."""
    return st.fixed_dictionaries({}, optional={name: st.fixed_dictionaries({}, optional=parts) | NONSENSE})


PROGRAMS = asking(
    "program",
    language=st.sampled_from(["python", "shell", "perl"]) | NONSENSE,
    author=st.sampled_from(["catalog", "model"]) | NONSENSE,
    secrets=st.lists(WORDS, max_size=2) | NONSENSE,
)
MESSAGES = asking("message", channel=WORDS | NONSENSE, boards=st.lists(WORDS, max_size=3) | NONSENSE)


@FEWER
@given(program=PROGRAMS, row=asking("row", risk=st.sampled_from(Risk) | NONSENSE), message=MESSAGES)
async def test_programs_and_messages_get_the_same_answer(
    server_policy: OpaServerPolicy, program: dict[str, Any], row: dict[str, Any], message: dict[str, Any]
) -> None:
    for entry, document in ((PERMISSION, program | row), (DELIVERY, message)):
        try:
            embedded = BUNDLE.evaluate(entry, document)
        except PolicyUnavailable:
            with pytest.raises(PolicyUnavailable):
                await server_policy._ask(entry, document)
            continue
        assert (await server_policy._ask(entry, document))["result"] == embedded
