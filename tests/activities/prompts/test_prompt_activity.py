from pathlib import Path

import pytest

from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.prompts.activity import PromptActivities
from activities.prompts.contracts import ComposeRequest, NamedText, TemplateFailed
from catalogs.row import CatalogRow, Mode
from temporal.contract import StepRef

STEP = StepRef(run="r", row="a", step="prompt")


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(FolderArtifactStore(tmp_path), inline_limit=200)


def row(**values: object) -> CatalogRow:
    return CatalogRow.model_validate({"id": "a", "line": 2, "objective": "Do it", **values})


async def asked(texts: Texts, request: ComposeRequest) -> str:
    prompt = await PromptActivities(texts).compose(request)
    kept = prompt.text.model_copy(update={"inline": None})
    assert await texts.read(kept) == await texts.read(prompt.text)
    return await texts.read(prompt.text)


async def test_a_template_sees_the_row_and_upstream_outputs(texts: Texts) -> None:
    upstream = (NamedText(name="up", text=await texts.keep("x" * 500)),)
    request = ComposeRequest(step=STEP, row=row(prompt="{{ row.id }}: {{ outputs['up'] }}"), upstream=upstream)
    assert await asked(texts, request) == "a: " + "x" * 500


async def test_a_default_prompt_holds_upstream_outputs(texts: Texts) -> None:
    upstream = (NamedText(name="up", text=await texts.pack("found {{ it }}")),)
    text = await asked(texts, ComposeRequest(step=STEP, row=row(), upstream=upstream))
    assert text == "Do it\n\nResult of up:\n```\nfound {{ it }}\n```"


async def test_a_step_sees_earlier_answers(texts: Texts) -> None:
    stepwise = row(mode=Mode.STEPWISE, workflow=("draft", "polish"))
    earlier = (NamedText(name="draft", text=await texts.pack("a draft")),)
    text = await asked(texts, ComposeRequest(step=STEP, row=stepwise, phase=1, earlier=earlier))
    assert "Result of step draft:\n```\na draft\n```" in text
    assert text.endswith("Do only step 2 of 2 now: polish")


async def test_a_second_attempt_is_told_what_failed(texts: Texts) -> None:
    text = await asked(texts, ComposeRequest(step=STEP, row=row(), failures=("max_words:5: it has 9 words",)))
    assert text.endswith("Correct this:\n- max_words:5: it has 9 words")


@pytest.mark.parametrize(
    ("values", "system"),
    [
        ({"agent": "analyst", "board": "ops"}, "the agent 'analyst' of the board 'ops'"),
        ({"board": "ops"}, "the agent 'ops'"),
        ({}, "You carry out one task"),
    ],
)
async def test_the_system_prompt_names_the_agent(texts: Texts, values: dict[str, str], system: str) -> None:
    prompt = await PromptActivities(texts).compose(ComposeRequest(step=STEP, row=row(**values)))
    assert system in prompt.system


@pytest.mark.parametrize(
    "request_",
    [ComposeRequest(step=STEP, row=row(prompt="{{ outputs.x }}")), ComposeRequest(step=STEP, row=row(), phase=0)],
)
async def test_what_cannot_be_composed_fails_for_good(texts: Texts, request_: ComposeRequest) -> None:
    with pytest.raises(TemplateFailed) as caught:
        await PromptActivities(texts).compose(request_)
    assert not caught.value.retryable
