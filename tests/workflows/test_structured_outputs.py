"""Outputs that are JSON: checked against their schema, repaired once, read by later rows field by field."""

import json

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelRequest
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from tests.installation import Installation, Run
from tests.workflows.test_row_custody import statement
from workflows.row import RowWorkflow

SCHEMA = "city:text; people:integer"
LOOSE = '```json\n{ "people": 3, "city": "Zürich" }\n```'
CANONICAL = '{"city":"Zürich","people":3}'


def record(prism: Installation, run: Run, row: str = "a") -> dict[str, object]:
    return prism.query("SELECT * FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]


async def test_an_answer_becomes_canonical_json_whose_fields_later_rows_read(prism: Installation) -> None:
    prism.model.answer = lambda request: LOOSE if request.step.row == "a" else "fine"
    run = await prism.start(
        'id,objective,output_schema,prompt\na,Name a city,"' + SCHEMA + '",\n'
        'b,Use it,,"{{ data[""a""].city }} has {{ data[""a""].people + 1 }}: {{ outputs[""a""] }}"\n'
    )
    assert (await run.result()).state is RunState.COMPLETED
    assert record(prism, run)["output"] == CANONICAL
    first, second = prism.model.requests
    assert (first.output_schema or {})["required"] == ["city", "people"]
    assert second.output_schema is None
    assert (await prism.model.prompts())[1].startswith(f"Zürich has 4: {CANONICAL}")
    acts = custody_of(await statement(prism, run, "a"))
    assert [act.act for act in acts] == [Act.WRITTEN, Act.STRUCTURED, Act.SCANNED]


async def test_an_answer_that_does_not_fit_is_repaired_once_by_a_paid_call_of_its_own(prism: Installation) -> None:
    answers = iter(['{"city": 3}', CANONICAL])
    prism.model.answer = lambda request: next(answers)
    run = await prism.start(f'id,objective,output_schema\na,Name a city,"{SCHEMA}"\n')
    assert (await run.result()).state is RunState.COMPLETED
    asked, repair = prism.model.requests
    assert asked.step.key != repair.step.key
    told = (await prism.model.prompts())[1]
    assert "$.city: 3 is not of type 'string'" in told
    assert "'people' is a required property" in told
    assert '{"city": 3}' in told
    assert record(prism, run)["cost_usd"] == 0.5


async def test_one_that_never_fits_ends_as_failed_verification_after_two_calls(prism: Installation) -> None:
    prism.model.answer = lambda request: "Zürich, I think."
    run = await prism.start(f'id,objective,output_schema,verification\na,Name a city,"{SCHEMA}",contains:zebra\n')
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    ended = record(prism, run)
    assert ended["state"] == "verification_failed"
    assert str(ended["message"]).startswith("output_schema: it is not JSON")
    assert len(prism.model.requests) == 2
    assert [one["passed"] for one in json.loads(str(ended["verdicts"]))] == [False, False]


async def test_a_reviewer_mends_what_does_not_fit_and_cannot_break_what_does(prism: Installation) -> None:
    prism.model.answer = lambda request: "no JSON"
    run = await prism.start(f'id,objective,output_schema,review\na,Name a city,"{SCHEMA}",policy\n')
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    edit = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value('{"city": "x"}'), round=1)
    await run.row("a").execute_update(RowWorkflow.decide, edit)
    again = await run.row_reaches(
        "a", lambda progress: progress.outcome is not None and progress.outcome.round == 2 and bool(progress.review)
    )
    assert "'people' is a required property" in again.review[0]
    mended = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value(LOOSE), round=2)
    await run.row("a").execute_update(RowWorkflow.decide, mended)
    assert (await run.result()).state is RunState.COMPLETED
    assert record(prism, run)["output"] == CANONICAL


async def test_only_the_last_step_of_a_stepwise_row_has_to_fit(prism: Installation) -> None:
    def answer(request: ModelRequest) -> str:
        return CANONICAL if request.output_schema else "notes"

    prism.model.answer = answer
    run = await prism.start(
        f'id,objective,output_schema,workflow,mode\na,Name a city,"{SCHEMA}",think > write,stepwise\n'
    )
    assert (await run.result()).state is RunState.COMPLETED
    assert [request.output_schema is None for request in prism.model.requests] == [True, False]


async def test_fields_of_what_is_no_json_fail_the_row_that_wants_them(prism: Installation) -> None:
    run = await prism.start('id,objective,prompt\na,Say hello,\nb,Use it,"{{ data[""a""].city }}"\n')
    await run.result()
    ended = record(prism, run, "b")
    assert ended["code"] == "TEMPLATE_FAILED"
    assert "give that row an output_schema" in str(ended["message"])
