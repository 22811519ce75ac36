"""A row's statement tells everything that was done to its output, by whom, in order."""

from typing import Any

from activities.artifacts.contracts import Text, digest_of
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.provenance.verify import verify_envelope
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from tests.installation import Installation, Run
from workflows.row import RowWorkflow

DRAFT = "```python\nprint(1)\n```"
BETTER = "```python\nprint(2)\n```"


async def statement(prism: Installation, run: Run, row: str) -> dict[str, Any]:
    """Return the statement of a row, verified with its output."""
    kept = prism.query("SELECT envelope, output FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]
    envelope = await prism.stores.artifacts.get(kept["envelope"])
    return verify_envelope(envelope, prism.settings.public_key.read_bytes(), output=kept["output"]).statement


async def test_an_edited_program_is_in_custody_from_the_models_words_to_what_left(prism: Installation) -> None:
    prism.model.answer = lambda request: DRAFT
    run = await prism.start("id,objective,review,language,depends_on\na,Add,required,python,\nb,Use it,,,a\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    edit = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value(BETTER), comment="2")
    await run.row("a").execute_update(RowWorkflow.decide, edit)
    assert (await run.result()).state is RunState.COMPLETED
    told = await statement(prism, run, "a")
    acts = custody_of(told)
    before, after = digest_of(DRAFT.encode()), digest_of(BETTER.encode())
    assert [(act.act, act.text) for act in acts] == [
        (Act.WRITTEN, before),
        (Act.SCANNED, before),
        (Act.EXECUTED, before),
        (Act.EDITED, after),
        (Act.SCANNED, after),
        (Act.EXECUTED, after),
    ]
    wrote, scan, execution, edited, *_, last = acts
    assert (wrote.by, scan.outcome, execution.by, execution.outcome) == ("test/model", "clean", "python", "ok")
    assert scan.by.startswith("gitleaks")
    assert (edited.by, edited.before, edited.round) == ("ana", before, 1)
    assert (execution.stdout, last.stdout) == (digest_of(b"1\n"), digest_of(b"2\n"))
    definition = told["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["submitter"] == "tester"
    assert definition["internalParameters"]["review"]["decisions"][0]["by"] == "ana"
    used = (await statement(prism, run, "b"))["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"name": "upstream/a", "digest": {"sha256": after.removeprefix("sha256:")}} in used


async def test_a_text_that_was_written_anew_has_both_drafts_in_custody(prism: Installation) -> None:
    answers = iter(["No animal.", "A zebra."])
    prism.model.answer = lambda request: next(answers)
    run = await prism.start("id,objective,verification\na,Say,contains:zebra\n")
    assert (await run.result()).state is RunState.COMPLETED
    acts = custody_of(await statement(prism, run, "a"))
    wrote = [act.text for act in acts if act.act is Act.WRITTEN]
    assert wrote == [digest_of(b"No animal."), digest_of(b"A zebra.")]
    assert acts[-1].act is Act.SCANNED
