"""A company's week of catalogs, for screenshots and for looking at the console by hand."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from activities.agents.agents_folder import load_agents
from activities.artifacts.contracts import Text
from activities.budgets.contracts import BudgetSpent
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules_file import load_budgets
from activities.experiments.contracts import ExperimentSpec
from activities.experiments.register import SqlExperiments
from activities.experiments.tables import AssignmentRow
from activities.feedback.contracts import Given, Rating
from activities.feedback.register import SqlFeedbackRegister
from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.llm.incidents import Change, CircuitChange, FailedRequest
from activities.records.calls import SqlCallLedger
from activities.records.contracts import RowState, RunState
from activities.records.database import timestamp, upsert
from activities.records.incidents import SqlIncidents
from activities.records.tables import CallRow
from activities.reflections.contracts import ReflectionState, ReflectRequest
from activities.reflections.register import SqlReflectionRegister
from activities.reviews.contracts import ReviewTerms
from activities.routing.counting import count_answer
from activities.scans.contracts import Finding
from catalogs.evidence import BOARD, REFLECTOR, ROW
from catalogs.experiment import Variant
from catalogs.plan import Proposal
from catalogs.row import CatalogRow
from temporal.contract import StepRef
from tests.api.http.seeding import Seed, Seeder, judged, proven, unverified

SAMPLES: Final = Path(__file__).parents[2] / "catalogs" / "samples"
BUDGETS: Final = SAMPLES / "budgets.yaml"
SETTINGS: Final[dict[str, Any]] = {"budgets": BUDGETS, "tools": SAMPLES / "tools.yaml", "agents": SAMPLES / "agents"}
REPORT = """Opening balance  EUR 1,284,310.22
Receipts         EUR   212,904.10
Payments         EUR  -167,455.87
Closing balance  EUR 1,329,758.45

Two receipts from Hallmann GmbH carry no invoice number and are matched by amount only. \
Supplier 40177 was left out of the 11:30 payment run: its IBAN changed on Friday and nobody has confirmed it.

Confirm the IBAN before the 15:00 cut-off."""

PROPOSED: Final = "reflect-writer-5f2c91ab"
TASKS = (
    ("finance/cash-report", "Daily cash report", "Report today's cash position per bank account and name anomalies."),
    ("finance/dunning-letters", "Dunning letters, second level", "Draft a polite reminder for invoices 30 days late."),
    ("finance/vat-check", "VAT return plausibility", "Compare the VAT return with the ledger and list differences."),
    (
        "support/refund-policy",
        "Refund policy for annual plans",
        "Explain the refund policy in plain words, 120 at most.",
    ),
    ("support/outage-note", "Customer note on Tuesday's outage", "Write an honest note on the outage and its cause."),
    ("legal/nda-summary", "Summary of the Orbis NDA", "Summarise obligations, term and governing law of the NDA."),
    ("legal/dpa-review", "Data processing addendum review", "List clauses that differ from our standard addendum."),
    ("ops/rollback-plan", "Rollback plan for release 4.12", "Write the rollback plan, step by step, with owners."),
    ("ops/oncall-digest", "On-call digest, week 47", "Condense the pages of the week into causes and actions."),
    ("growth/pricing-faq", "Pricing FAQ", "Answer the twelve most asked questions on pricing."),
    ("growth/launch-post", "Launch post for Prism 1.0", "Write a launch post without superlatives."),
    ("people/interview-kit", "Interview kit: data engineer", "Prepare questions and a scoring guide."),
)


PROPOSAL: Final = Proposal(
    by="growth/pricing-faq",
    rows=tuple(
        CatalogRow(id=f"growth/faq-{name}", line=line, title=title, objective=f"{title}, {more}.", depends_on=needs)
        for line, (name, title, more, needs) in enumerate(
            (
                ("asked", "Most asked questions", "from the tickets of this quarter, with how often", ()),
                ("plans", "Answers on plans", "in at most 80 words each", ("growth/faq-asked",)),
                ("refunds", "Answers on refunds", "as the policy says", ("growth/faq-asked", "support/refund-policy")),
                (
                    "whole",
                    "The whole page",
                    "in the order of how often they are asked",
                    ("growth/faq-plans", "growth/faq-refunds"),
                ),
            ),
            start=2,
        )
    ),
)

TOLD: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("finance/cash-report", "Daily cash report: succeeded", "3 of 3 checked criteria hold.", "info"),
    ("ops/rollback-plan", "Rollback plan for release 4.12: failed", "secrets in the output: line 7", "error"),
    ("finance/vat-check", "Review wanted: VAT return plausibility", "amounts above EUR 50,000", "warning"),
)


def week() -> list[Seed]:
    """The rows of the run that is under way."""
    checks = [
        proven("contains: Closing balance", reason="found at character 132"),
        proven("max_words: 200", reason="78 words"),
        judged("names every anomaly", "Both unmatched receipts and the unconfirmed IBAN are named."),
        unverified("tone fits the board"),
    ]
    key = Finding(rule="aws-access-token", description="AWS access key", line=7, column=3, fingerprint="a" * 64)
    special: dict[str, dict[str, object]] = {
        "finance/cash-report": {"verdicts": checks, "seconds": 3.1, "requests": 3},
        "finance/vat-check": {
            "state": RowState.REVIEW,
            "message": "amounts above EUR 50,000 need a second pair of eyes",
            "upstream": ["finance/cash-report"],
            "verdicts": checks[1:3],
            "risk": "high",
            "terms": ReviewTerms(
                reviewers=("role:cfo", "role:controller"),
                members={"role:cfo": ("cara",), "role:controller": ("ben", "dana")},
                approvals=2,
                due_at=timestamp(datetime.now(UTC) + timedelta(hours=5)),
            ),
            "earlier": REPORT.replace("Confirm the IBAN before the 15:00 cut-off.", "All is in order.").replace(
                "1,329,758.45", "1,329,785.45"
            ),
        },
        "support/refund-policy": {
            "state": RowState.REVIEW,
            "message": "the catalog requires a review of this row",
            "risk": "medium",
            "terms": ReviewTerms(reviewers=("ana",), due_at=timestamp(datetime.now(UTC) + timedelta(minutes=40))),
        },
        "growth/pricing-faq": {
            "state": RowState.REVIEW,
            "message": "rule 'prices' asks for the approval of sales-lead",
            "upstream": ["finance/cash-report"],
            "risk": "low",
            "terms": ReviewTerms(reviewers=("role:sales-lead",), members={"role:sales-lead": ("eli",)}),
            "proposal": PROPOSAL,
        },
        "legal/dpa-review": {
            "state": RowState.VERIFICATION_FAILED,
            "code": "VERIFICATION_FAILED",
            "message": "contains: governing law: not found, after one retry",
            "verdicts": [proven("contains: governing law", passed=False, reason="not found"), proven("max_words: 400")],
        },
        "ops/rollback-plan": {
            "state": RowState.FAILED,
            "code": "SECRETS_IN_OUTPUT",
            "message": "secrets in the output: aws-access-token on line 7",
            "findings": [key],
        },
        "ops/oncall-digest": {
            "state": RowState.BLOCKED,
            "output": "",
            "code": "UPSTREAM_FAILED",
            "message": "ops/rollback-plan failed",
            "upstream": ["ops/rollback-plan"],
        },
        "finance/dunning-letters": {"upstream": ["finance/cash-report"]},
        "growth/launch-post": {
            "state": RowState.RUNNING,
            "output": "",
            "upstream": ["support/outage-note", "growth/pricing-faq"],
        },
        "people/interview-kit": {"state": RowState.PENDING, "output": "", "upstream": ["growth/launch-post"]},
    }
    rows: list[Seed] = []
    for number, (row, title, objective) in enumerate(TASKS):
        values: dict[str, object] = {
            "output": REPORT,
            "verdicts": checks[1:3],
            "seconds": 1.7 + 0.4 * (number % 5),
            "cost": 0.0042 + 0.0017 * (number % 4),
        }
        rows.append(Seed(row, title, objective, **(values | special.get(row, {}))))  # type: ignore[arg-type]
    return rows


async def fill(seeder: Seeder) -> None:
    """Write the week."""
    done = [
        Seed(
            f"support/ticket-{number}",
            f"Answer ticket {4100 + number}",
            "Draft an answer.",
            output="Dear customer, …",
            agent="writer",
        )
        for number in range(48)
    ]
    await seeder.run("8f2c41d09be37a16", "Weekly operations", week(), state=RunState.RUNNING, minutes_ago=1.2, took=60)
    for told in TOLD:
        await seeder.told("8f2c41d09be37a16", *told)
    await seeder.run("support-1123", "Support answers, Monday", done, state=RunState.COMPLETED, minutes_ago=55)
    mixed = [*done[:20], *[one for one in week() if one.state is not RowState.RUNNING and one.output][3:]]
    await seeder.run(
        "legal-q4", "Contract summaries Q4", mixed, state=RunState.COMPLETED_WITH_FAILURES, minutes_ago=60 * 26
    )
    waiting = [
        Seed(one.row, one.title, one.objective, RowState.PENDING if number > 14 else one.state, one.output)
        for number, one in enumerate(done)
    ]
    await seeder.run("pricing-refresh", "Pricing refresh", waiting, state=RunState.PAUSED, minutes_ago=140, took=300)
    await spend(seeder)
    await rate(seeder)
    await reflect(seeder)
    await compare(seeder)
    await call(seeder)


async def rate(seeder: Seeder) -> None:
    """Have readers say what they think of some outputs."""
    register = SqlFeedbackRegister(seeder.stores.engine)
    for number in range(30):
        rating = Rating.BAD if number % 5 == 0 else Rating.GOOD
        reason = "The tone is off." if rating is Rating.BAD else ""
        given = Given(run="support-1123", row=f"support/ticket-{number}", by="ana", rating=rating, reason=reason)
        await register.rate(given)
    ours = ("8f2c41d09be37a16", "finance/cash-report")
    await register.rate(Given(run=ours[0], row=ours[1], by="ben", rating=Rating.GOOD, reason="Every figure is there."))
    await register.rate(Given(run=ours[0], row=ours[1], by="cleo", rating=Rating.BAD))


async def reflect(seeder: Seeder) -> None:
    """Propose a changed prompt, which waits for a person, beside a reflection that found nothing."""
    register = SqlReflectionRegister(seeder.stores.engine)
    writer = load_agents()["writer"]
    for identity, agent, by in (("reflect-critic-1", "critic", "ben"), (PROPOSED, "writer", "ana")):
        await register.begin(ReflectRequest(reflection=identity, agent=agent, by=by), 3)
    nothing = await register.reflection("reflect-critic-1")
    going = await register.reflection(PROPOSED)
    assert nothing
    assert going
    told = "nothing to reflect on: 1 of 3 pieces of evidence on critic@1 as it is now"
    await register.change(nothing.model_copy(update={"state": ReflectionState.NOTHING, "message": told, "evidence": 1}))
    found = {"state": ReflectionState.UNDER_WAY, "definition": writer, "evidence": 6, "left_out": 1}
    await register.change(going.model_copy(update=found))
    changed = writer.system.replace("plainly, and", "plainly, in the reader's own tone, and")
    changed += "\nYou greet the reader by name where the task gives one."
    reasons = [
        {"evidence": [1, 2, 5], "why": "Six readers found the tone off: it was that of a form."},
        {"evidence": [3], "why": "An editor put the customer's name in the place of 'Dear customer'."},
    ]
    output = json.dumps({"prompt": changed, "summary": "Asks for the reader's tone and name.", "reasons": reasons})
    row = Seed(ROW, "A changed prompt for writer", "Propose a changed system prompt.", output=output, board=BOARD)
    row = replace(row, state=RowState.REVIEW, message="the catalog requires a review of this row", agent=REFLECTOR)
    await seeder.run(PROPOSED, "Reflection on writer", [row], state=RunState.RUNNING, minutes_ago=9, submitter="ana")


async def compare(seeder: Seeder) -> None:
    """Compare prompts and models: one experiment knows its winner, one does not, one has ended."""
    register = SqlExperiments(seeder.stores.engine)
    terse = Variant(name="terse", prompt="In at most five sentences: {{ row.objective }}")
    writer = Variant(name="writer", agent=load_agents()["writer"])
    experiments = (
        ("tone", "Do customers prefer short answers?", (Variant(name="current"), terse), 62),
        ("model", "Is the small model good enough?", (Variant(name="large"), Variant(name="small", model="local")), 24),
        ("voice", "", (Variant(name="as-is"), terse, writer), 30),
    )
    for name, about, variants, units in experiments:
        await register.create(ExperimentSpec(name=name, about=about, variants=variants), by="cleo")
        rows = []
        for number in range(units):
            variant = variants[number % len(variants)].name
            good = number * 7 % 10 < (9 if variant == "terse" else 4 if variant == "current" else 6)
            place = {"unit": f"row/support/ticket-{number}", "run": "support-1123", "row": f"support/ticket-{number}"}
            outcome = {"variant": variant, "good": good, "position": number, "judged_at": timestamp()}
            rows.append({"experiment": name, "at": timestamp(), **place, **outcome})
        with seeder.stores.engine.begin() as connection:
            connection.execute(upsert(seeder.stores.engine, AssignmentRow), rows)
    await register.end("voice", adopt="terse", by="cleo")


async def call(seeder: Seeder) -> None:
    """Write four weeks of calls into the ledger, and some requests that failed."""
    now = datetime.now(UTC)
    rows = []
    for number in range(420):
        at = timestamp(now - timedelta(hours=number * 1.6))
        local = number % 5 < 2
        answer = ModelAnswer(
            output=Text.by_value(f"Answer {number}"),
            group="local" if local else "anthropic",
            model="local/SmolLM2-135M-Instruct" if local else "anthropic/claude-sonnet-4-5",
            prompt_tokens=380 + number % 90,
            completion_tokens=120 + number % 70,
            cost_usd=0.0 if local else 0.002 + 0.0001 * (number % 40),
            latency_ms=900 + 37 * (number % 60) if local else 1400 + 61 * (number % 50),
            attempt=2 if number % 60 == 1 else 1,
            local=local,
            cached_from="sha256:1" if number % 11 == 0 else "",
            cache_level=("near", "joined")[number % 2] if number % 11 == 0 else "",
        )
        told = {"key": f"week/{number}", "model_group": answer.group, "request": "", "started_at": at, "starts": 1}
        rows.append(told | {"under_way": False, "answered_at": at, "answer": answer.model_dump(mode="json")})
    with seeder.stores.engine.begin() as connection:
        connection.execute(upsert(seeder.stores.engine, CallRow), rows)
    await fail(seeder)
    for number in range(180):
        local = number % 5 < 2
        board = ("support", "finance", "legal")[number % 7 % 3]
        step = StepRef(run="8f2c41d09be37a16", row=f"{board}/{number}", step="model")
        request = ModelRequest(step=step, prompt=Text.by_value("Say hello"), board=board)
        answer = ModelAnswer(output=Text.by_value("Hello"), group="g", model="m", local=local, prompt_tokens=300)
        with seeder.stores.engine.begin() as connection:
            count_answer(connection, seeder.stores.engine, request, answer)


async def fail(seeder: Seeder) -> None:
    """Let a provider fail for an hour, with its circuit open most of the time."""
    incidents, engine = SqlIncidents(seeder.stores.engine), seeder.stores.engine
    claude = {"deployment": "sonnet", "model": "anthropic/claude-sonnet-4-5"}
    mini = {"deployment": "gpt-mini", "model": "openai/gpt-4o-mini"}
    overloaded = {"fault": "ModelUnavailable", "status": 529, "message": "the provider answered 529: overloaded"}
    late = {"fault": "ModelUnavailable", "message": "openai/gpt-4o-mini took longer than 60 s", "milliseconds": 60012}

    def failed(number: int, **told: Any) -> FailedRequest:
        step = StepRef(run="8f2c41d09be37a16", row="finance/cash-report", step="model", ordinal=number)
        return FailedRequest.model_validate({"step": step, "number": 1, "milliseconds": 640, **told})

    def changed(change: Change, seconds: float | None = None, reason: str = "") -> CircuitChange:
        return CircuitChange.model_validate({"change": change, "seconds": seconds, "reason": reason, **claude})

    first = failed(0, **claude, **overloaded)
    happened: list[tuple[float, FailedRequest | CircuitChange]] = [
        *((52 - 0.1 * number, failed(number + 1, **claude, **overloaded)) for number in range(3)),
        (51.7, changed(Change.OPENED, 15, "3 faults in a row")),
        (51.4, changed(Change.PROBED)),
        (51.3, failed(4, **claude, **overloaded)),
        (51.3, changed(Change.OPENED, 300, "the probe failed")),
        (46, changed(Change.PROBED)),
        (45.9, changed(Change.CLOSED, None, "it answered")),
        (31, failed(5, **mini, **late)),
        (14, first),
        (13.9, first.model_copy(update=mini | {"number": 2, "status": 429, "message": "429: rate limit reached"})),
        (13.9, CircuitChange(change=Change.OPENED, seconds=120, reason="the provider asked for it", **mini)),
    ]
    ledger, answered = SqlCallLedger(engine), Text.by_value(REPORT)
    for number in (0, 5):
        request = ModelRequest(step=failed(number, **claude, **overloaded).step, prompt=answered)
        await ledger.begin(request)
        await ledger.record(request, ModelAnswer(output=answered, group="g", model="anthropic/claude-sonnet-4-5"))
    for minutes, incident in happened:
        if isinstance(incident, CircuitChange):
            table = "circuit_changes"
            await incidents.changed(incident)
        else:
            table = "call_failures"
            await incidents.failed(incident)
        at = timestamp(datetime.now(UTC) - timedelta(minutes=minutes))
        newest = f"UPDATE {table} SET at = :at WHERE id = (SELECT max(id) FROM {table})"  # noqa: S608 -- ours
        with engine.begin() as connection:
            connection.execute(text(newest), {"at": at})


async def spend(seeder: Seeder) -> None:
    """Spend a part of the day's budget and all of a board's."""
    guard = SqlSpendGuard(seeder.stores.engine, load_budgets(BUDGETS))
    for run in ("support-1123", "legal-q4"):
        for number in range(10):
            step = StepRef(run=run, row=f"support/ticket-{number}", step="model")
            await guard.reserve(step, 9.2)
            await guard.settle(step, 8.93)
    for number in range(15, 22):
        step = StepRef(run="pricing-refresh", row=f"support/ticket-{number}", step="model")
        with suppress(BudgetSpent):
            await guard.reserve(step, 19.4)
            await guard.settle(step, 18.87)
