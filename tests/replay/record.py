"""Records histories of real runs: ``python -m tests.replay.record [name …]``.

A recording that exists is never overwritten: a change of behaviour adds recordings under new names, with the reason
in the commit.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import WorkflowFailureError, WorkflowHistory

from activities.artifacts.contracts import Text, digest_of
from activities.budgets.contracts import BudgetSpent
from activities.experiments.contracts import ExperimentSpec
from activities.experiments.register import SqlExperiments
from activities.feedback.activity import CollectRequest
from activities.feedback.contracts import Given, Rating
from activities.feedback.register import SqlFeedbackRegister
from activities.llm.contracts import ModelRequest
from activities.notifications.contracts import Notification
from activities.notifications.inbox import InboxNotifier
from activities.records.contracts import RowState
from activities.reflections.contracts import ReflectRequest
from activities.reviews.contracts import DecisionKind, ReviewDecision
from activities.scans.folder_activity import FolderScanRequest
from activities.secrets.rotation import RotationRequest
from catalogs.evidence import ROW
from catalogs.experiment import Variant
from temporal.address import TemporalAddress
from temporal.contract import StepRef
from temporal.dev_server import dev_server_command
from temporal.names import REFLECTION_WORKFLOWS, TaskQueue
from tests.conftest import answering, free_port
from tests.installation import Installation, Run
from tests.receiver import receiver
from workers.notifications import notification_rules, start_delivery
from workers.secrets import open_secrets
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import BudgetFreed, Concurrency, Operator, ReflectionRun, RowProgress, RowSelection
from workflows.delivery import DeliveryWorkflow
from workflows.draft import DRAFTS
from workflows.performing import BUDGET
from workflows.reflection import ReflectionWorkflow
from workflows.rotation import SecretRotationWorkflow
from workflows.row import RowWorkflow
from workflows.scanning import FolderScanWorkflow
from workflows.training import TrainingDataWorkflow

# The round that fails for one message, and the one that repeats it after a timer.
DELIVERY_ROUNDS = 2
# Policy, prompt, model, scan, the invitation, and the notice that it is overdue.
OVERDUE_STEPS = 5
# How many tokens the judge that ships may answer with, which no other agent may.
JUDGES_TOKENS = 60
HISTORIES = Path(__file__).with_name("histories")
ROOT = Path(__file__).parents[2]
ANA = ReviewDecision(by="ana", comment="fine")


async def plain(prism: Installation) -> Run:
    """Rows that depend on each other, one of them stepwise, one with code."""
    return await prism.start(
        "id,objective,depends_on,workflow,mode,language,code,verification\n"
        "a,First,,,,,,max_words:50;is friendly\nb,Second,a,one > two,stepwise,,,\nc,Third,a;b,,,python,print(1),\n"
    )


async def reviewed(prism: Installation) -> Run:
    """A row that is approved, one that is rejected, one that nobody decides on."""
    run = await prism.start(
        "id,objective,review,deadline,depends_on\na,One,required,,\nb,Two,required,,\nc,Three,required,1s,\nd,Four,,,b\n"
    )
    for row in ("a", "b"):
        await run.row_reaches(row, lambda progress: progress.state is RowState.REVIEW)
    await run.row("a").signal(RowWorkflow.approve, ANA)
    await run.row("b").signal(RowWorkflow.reject, ANA)
    return run


async def rounds(prism: Installation) -> Run:
    """Reviews with terms: changes requested, an edit under a quorum, a form, a claim, a reminder of none, silence."""
    run = await prism.start(
        "id,objective,review,quorum,reviewers,deadline,on_deadline,form\n"
        "a,One,required,2,ana;bo,,,\nb,Two,required,,,,,ok:boolean\nc,Three,required,,,1s,approve,\n"
        "d,Four,required,,ana,1s,wait,\n"
    )
    for row in ("a", "b", "d"):
        await run.row_reaches(row, lambda progress: progress.state is RowState.REVIEW)
    edited = Text(digest=digest_of(b"Edited."), size=7, inline="Edited.")
    for given in (
        ReviewDecision(by="bo", kind=DecisionKind.CLAIM),
        ReviewDecision(by="bo", kind=DecisionKind.REQUEST_CHANGES, comment="shorter"),
        ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=edited, round=2),
        ReviewDecision(by="bo", round=3),
    ):
        if given.round is not None:
            await run.row_reaches("a", lambda progress, wanted=given.round: _in_round(progress, wanted))  # type: ignore[misc]
        await run.row("a").execute_update(RowWorkflow.decide, given)
    answer = ReviewDecision(by="ana", kind=DecisionKind.ANSWER, answers={"ok": True})
    await run.row("b").execute_update(RowWorkflow.decide, answer)
    await run.row_reaches("d", lambda progress: progress.terms is not None and len(progress.steps) > OVERDUE_STEPS)
    await run.row("d").execute_update(RowWorkflow.decide, ANA)
    return run


def _in_round(progress: RowProgress, wanted: int) -> bool:
    return progress.state is RowState.REVIEW and progress.outcome is not None and progress.outcome.round == wanted


async def steered(prism: Installation) -> Run:
    """A run that is paused, resumed, given another concurrency, skipped in and retried."""
    run = await prism.start(
        "id,objective,verification,review,depends_on\na,One,,required,\nb,Two,contains:zebra,,\nc,Three,,,a\nd,Four,,,c\n",
        concurrency=2,
    )
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.signal(CatalogWorkflow.pause, Operator(by="ana"))
    await run.handle.signal(CatalogWorkflow.set_concurrency, Concurrency(limit=3))
    await run.handle.signal(CatalogWorkflow.skip, RowSelection(rows=("d",)))
    while (await run.progress()).counts.get(RowState.VERIFICATION_FAILED) != 1:
        await asyncio.sleep(0.02)
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("b",)))
    await run.handle.signal(CatalogWorkflow.resume, Operator(by="ana"))
    await run.row("a").signal(RowWorkflow.approve, ANA)
    return run


async def cancelled(prism: Installation) -> Run:
    """A run that is cancelled while a row waits for a person."""
    run = await prism.start("id,objective,review,depends_on\na,One,required,\nb,Two,,a\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.cancel()
    return run


async def denied(prism: Installation) -> Run:
    """A row that the policy denies, and one with a secret in its output."""
    return await prism.start("id,objective,budget_usd\na,Spend,1000\nsecret,Leak,\n")


async def files(prism: Installation) -> Run:
    """Programs whose files are kept, found by others, gone on with and scanned; one that leaves what is not kept."""
    return await prism.start(
        "id,objective,language,code,files,workspace,depends_on\n"
        "a,Make,shell,echo 1 > a.txt,*.txt,,\nb,Go on,shell,echo 2 >> a.txt,*.txt,a,\n"
        "c,Use,shell,cat inputs/a/a.txt,,,a\nd,Link,shell,ln -s a b,*,,\n"
    )


async def sealed(prism: Installation) -> Run:
    """A run whose end is sealed: a row that succeeds, one that does not, one that it blocks."""
    return await prism.start("id,objective,verification,depends_on\na,One,,\nb,Two,contains:zebra,\nc,Three,,b\n")


async def sealed_cancelled(prism: Installation) -> Run:
    """A run that is cancelled while a row waits for a person, and sealed."""
    return await cancelled(prism)


async def budget(prism: Installation) -> Run:
    """A row that a spent budget holds up until there is enough again."""
    refused = BudgetSpent("too little is left", stop=1, budget="day", period="2026-11-24")
    answers = iter((refused, None))
    told = prism.model.answer

    def answer(request: ModelRequest) -> str:
        if fault := next(answers, None):
            raise fault
        return told(request)

    prism.model.answer = answer
    run = await prism.start("id,objective\na,One\n")
    await run.row_reaches("a", lambda progress: progress.step == BUDGET)
    await run.row("a").signal(RowWorkflow.budget_freed, BudgetFreed(stop=1))
    await run.handle.result()
    prism.model.answer = told
    return run


async def delivery(prism: Installation) -> WorkflowHistory:
    """The loop that delivers notifications: a receiver that is down at first, another message, then nothing to do."""
    async with receiver([(503, {})]) as hook:
        rules = prism.settings.home / "rules.yaml"
        rules.write_text(
            f"channels: {{hook: {{kind: webhook, url: '{hook.url}', secret_env: HOOK_SECRET}}}}\n"
            "routes: [{name: all, channels: [hook]}]\n"
        )
        os.environ["HOOK_SECRET"] = "any"  # noqa: S105 -- signs what nobody verifies
        told = Installation(prism.settings.home, prism.client, _answer, rules)
        inbox = InboxNotifier(told.stores.engine, notification_rules(told.settings))
        async with told.worker():
            for row in ("a", "b"):
                await inbox.deliver(Notification(step=StepRef(run="r", row=row, step="notify"), title=row))
            loop = await start_delivery(prism.client)
            while (await loop.query(DeliveryWorkflow.progress)).rounds < DELIVERY_ROUNDS:
                await asyncio.sleep(0.1)
            await loop.terminate("recorded")
            return await loop.fetch_history()


async def secrets(prism: Installation) -> Run:
    """A row whose program finds a secret in its environment."""
    await open_secrets(prism.settings).put("catalogs/api", {"value": SecretStr("canary-of-recordings")})
    return await prism.start(
        "id,objective,language,code,secrets\n"
        'a,Use it,shell,"test -n ""$TOKEN""; echo ""$TOKEN""",TOKEN=secret://catalogs/api\n'
    )


async def released(prism: Installation) -> Run:
    """Outputs that the policy is asked about: after a scan for code, and after an edit."""
    run = await prism.start("id,objective,scan,risk\na,One,code,\nb,Two,,high\n")
    await run.row_reaches("b", lambda progress: progress.state is RowState.REVIEW)
    edited = Text(digest=digest_of(b"Edited."), size=7, inline="Edited.")
    decision = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=edited)
    await run.row("b").execute_update(RowWorkflow.decide, decision)
    return run


async def structured(prism: Installation) -> Run:
    """Outputs that are JSON: one repaired, one that never fits, one mended by a reviewer; a template that fails."""
    fits, answers = '{"city": "Z", "people": 3}', iter(["no JSON"])
    told = prism.model.answer
    prism.model.answer = lambda request: next(answers, fits) if request.step.row == "a" else "no JSON"
    run = await prism.start(
        "id,objective,output_schema,review,prompt\n"
        "a,One,city:text; people:integer,,\nb,Two,city:text,,\nc,Three,city:text,policy,\n"
        'd,Four,,,"{{ data[""a""].country }}"\n'
    )
    await run.row_reaches("c", lambda progress: progress.state is RowState.REVIEW)
    edited = Text.by_value('{"city": "Y"}')
    await run.row("c").execute_update(
        RowWorkflow.decide, ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=edited)
    )
    with suppress(WorkflowFailureError):
        await run.handle.result()
    prism.model.answer = told
    return run


async def tool_calls(prism: Installation) -> Run:
    """Tools that a model calls: one that prints, one that fails, arguments that do not fit, one that is not there."""
    tools = prism.settings.home / "tools.yaml"
    tools.write_text(
        'tools: {echo: {description: Echoes., parameters: "text:text", language: shell, code: cat},\n'
        '  fail: {description: Fails., language: shell, code: "exit 3"}}\n'
    )
    calls = [("echo", '{"text": "hello"}'), ("fail", ""), ("echo", "{}"), ("ecko", "{}")]
    told, prism.settings = prism.model.answer, prism.settings.model_copy(update={"tools": tools})
    prism.model.answer = lambda request: "Done." if request.turns and request.closing else calls
    run = await prism.start("id,objective,tools\na,Call,echo; fail\n", tool_rounds=2, tool_calls=6)
    await run.handle.result()
    prism.model.answer = told
    return run


async def judged_edit(prism: Installation) -> Run:
    """A text of a reviewer that is judged and seen again; a run that is asked meanwhile to retry a row under way."""
    run = await prism.start(
        "id,objective,review,verification\na,One,required,is friendly;max_words:3\n", judge_group="judge"
    )
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
    edited = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value("One two three four"))
    await run.row("a").execute_update(RowWorkflow.decide, edited)
    await run.row_reaches("a", lambda progress: _in_round(progress, 2))
    await run.row("a").execute_update(RowWorkflow.decide, ANA)
    return run


async def agents(prism: Installation) -> Run:
    """Rows of several agents in every pattern, one that reads documents, and a note that a later row reads."""
    told = prism.model.answer
    prism.model.answer = lambda request: "BEST: 1" if request.max_tokens == JUDGES_TOKENS else told(request)
    run = await prism.start(
        "id,objective,agent,pattern,depends_on,verification,remember,knowledge\n"
        "a,One,writer > critic > editor,pipeline,,contains:zebra,,\nb,Two,writer; critic; editor,vote,,,tone,\n"
        "c,Three,writer; editor; judge,judge,b,,,handbook\nd,Four,advocate; sceptic; moderator,debate,b,,,\n"
        "e,Five,lister > writer > editor,map,,,,\nf,Six,critic,,b,,,\n"
    )
    with suppress(WorkflowFailureError):
        await run.handle.result()
    prism.model.answer = told
    return run


async def agents_tools(prism: Installation) -> Run:
    """Agents that call tools of their own: one after the other, side by side, and one alone."""
    home = prism.settings.home
    (home / "agents").mkdir()
    for name, limits in (("caller", "{}"), ("teller", "{tool_rounds: 1, tool_calls: 1}")):
        text = f"name: {name}\nsystem: You are the {name}.\ntools: [echo]\nlimits: {limits}\n"
        (home / "agents" / f"{name}.yaml").write_text(text)
    (home / "tools.yaml").write_text(
        'tools: {echo: {description: Echoes., parameters: "text:text", language: shell, code: cat}}\n'
    )
    installed = {"tools": home / "tools.yaml", "agents": home / "agents"}
    told, prism.settings = prism.model.answer, prism.settings.model_copy(update=installed)
    calls = [("echo", '{"text": "hello"}')] * 2
    prism.model.answer = lambda request: calls if request.tools and len(request.turns) < DRAFTS else "Done."
    run = await prism.start(
        "id,objective,agent,pattern,verification,output_schema\n"
        "a,One,caller > teller > editor,pipeline,contains:zebra,\nb,Two,caller; teller; caller,vote,,\n"
        "c,Three,caller,,,said:text\n"
    )
    with suppress(WorkflowFailureError):
        await run.handle.result()
    prism.model.answer = told
    return run


async def planned(prism: Installation) -> Run:
    """A row that plans: a faulty proposal, one that is edited and approved, and one that waits for what it planned."""
    told = prism.model.answer
    answers = iter(['{"rows": [{"id": "end", "objective": "Taken"}]}', '{"rows": [{"id": "one", "objective": "One"}]}'])
    prism.model.answer = lambda request: next(answers) if request.step.row == "plan" else told(request)
    run = await prism.start(
        "id,objective,agent,pattern,depends_on\nearly,Early,,,\nplan,Plan,planner,plan,early\nend,End,,,plan\n"
    )
    await run.row_reaches("plan", lambda progress: _in_round(progress, 1))
    text = '{"rows": [{"id": "one", "objective": "One", "depends_on": "early"}, {"id": "two", "objective": "Two"}]}'
    edited = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value(text))
    await run.row("plan").execute_update(RowWorkflow.decide, edited)
    with suppress(WorkflowFailureError):
        await run.handle.result()
    prism.model.answer = told
    return run


async def rotation(prism: Installation) -> WorkflowHistory:
    """The ages of secrets, looked after once."""
    async with prism.worker():
        run = await prism.client.start_workflow(
            SecretRotationWorkflow.run, RotationRequest(), id="secrets/rotation-1", task_queue=TaskQueue.WORKFLOWS
        )
        await run.result()
        return await run.fetch_history()


async def training_data(prism: Installation) -> WorkflowHistory:
    """Preference pairs that are too few for a data set."""
    async with prism.worker():
        run = await prism.client.start_workflow(
            TrainingDataWorkflow.run, CollectRequest(wanted=1), id="feedback/1", task_queue=TaskQueue.WORKFLOWS
        )
        await run.result()
        return await run.fetch_history()


async def reflection(prism: Installation) -> WorkflowHistory:
    """A prompt that is proposed once, the reviewer approving; its row is a row like all others."""
    async with prism.worker():
        voted = await prism.start("id,objective,agent\na,Greet.,writer\n")
        await voted.result()
        vote = Given(run=voted.run, row="a", by="ana", rating=Rating.BAD, reason="It greets nobody.")
        await SqlFeedbackRegister(prism.stores.engine).rate(vote)
        prism.model.answer = lambda request: '{"prompt": "Greet.", "summary": "It greets.", "reasons": []}'
        identity = "reflect-writer-1"
        reflect = ReflectRequest(reflection=identity, agent="writer", wanted=1, by="ana")
        run = await prism.client.start_workflow(
            ReflectionWorkflow.run,
            ReflectionRun(reflect=reflect),
            id=f"{REFLECTION_WORKFLOWS}{identity}",
            task_queue=TaskQueue.WORKFLOWS,
        )
        proposed = Run(prism.client, identity, prism.client.get_workflow_handle_for(CatalogWorkflow.run, identity))
        await proposed.row_reaches(ROW, lambda progress: progress.state is RowState.REVIEW)
        await proposed.row(ROW).signal(RowWorkflow.approve, ANA)
        await run.result()
        return await run.fetch_history()


async def reflection_on_nothing(prism: Installation) -> WorkflowHistory:
    """A reflection of the calendar, which finds nothing."""
    async with prism.worker():
        run = await prism.client.start_workflow(
            ReflectionWorkflow.run,
            ReflectionRun(reflect=ReflectRequest(agent="critic")),
            id=f"{REFLECTION_WORKFLOWS}daily/critic",
            task_queue=TaskQueue.WORKFLOWS,
        )
        await run.result()
        return await run.fetch_history()


async def folder_scan(prism: Installation) -> WorkflowHistory:
    """A folder that is scanned once."""
    folder = prism.settings.home / "repository"
    folder.mkdir()
    settings = prism.settings.model_copy(update={"scan_folders": str(folder)})
    scanning = Installation.with_settings(settings, prism.client, _answer)
    async with scanning.worker():
        run = await prism.client.start_workflow(
            FolderScanWorkflow.run,
            FolderScanRequest(folder=str(folder)),
            id="scans/1",
            task_queue=TaskQueue.WORKFLOWS,
        )
        await run.result()
        return await run.fetch_history()


async def routed(prism: Installation) -> Run:
    """Rows whose model is chosen: by the share, by risk, by the data's class; a draft that the next tier writes."""
    run = await prism.start(
        "id,objective,model,risk,data_class,verification\na,One,,,,contains:zebra\nb,Two,,,confidential,\nc,Three,,high,,\n"
    )
    await run.row_reaches("c", lambda progress: progress.state is RowState.REVIEW)
    await run.row("c").signal(RowWorkflow.approve, ANA)
    return run


MODELS = """
deployments: {house: {model: openai/llama, url: "http://127.0.0.1:9/v1", local: true}, best: {model: openai/gpt-4.1}}
groups: {house: {deployments: [house]}, best: {deployments: [best]}}
routing: {tiers: [house, best], local_share: 100%}
"""


async def experiment(prism: Installation) -> Run:
    """Rows that run as the variants of an experiment, and one beside it."""
    made = (Variant(name="current"), Variant(name="terse", prompt="Be brief: {{ row.objective }}", model="small"))
    register = SqlExperiments(prism.stores.engine)
    await register.create(ExperimentSpec(name="tone", variants=made), by="ana")
    run = await prism.start("id,objective,experiment\na,One,tone:1\nb,Two,tone:2\nc,Three,\n")
    await run.result()
    return run


SCENARIOS: dict[str, Callable[[Installation], Awaitable[Run]]] = {
    scenario.__name__: scenario
    for scenario in (
        plain,
        reviewed,
        rounds,
        steered,
        cancelled,
        denied,
        budget,
        secrets,
        sealed,
        sealed_cancelled,
        released,
        structured,
        tool_calls,
        judged_edit,
        files,
        routed,
        agents,
        agents_tools,
        planned,
        experiment,
    )
}


LOOPS: dict[str, Callable[[Installation], Awaitable[WorkflowHistory]]] = {
    loop.__name__: loop for loop in (delivery, rotation, folder_scan, training_data, reflection, reflection_on_nothing)
}


def _answer(request: ModelRequest) -> str:
    if request.group == "judge":
        return '[{"criterion": 1, "passed": true, "reason": "it is"}]'
    return "aws_access_key_id = AKIA" + "QWERTYUIOP234567" if request.step.row == "secret" else "An answer."


async def record(names: list[str]) -> None:
    """Run the scenarios that have no recording yet, and keep the histories of all their workflows."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        command = dev_server_command(home / "temporal.db", port, free_port())
        server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        try:
            client = await answering(TemporalAddress(target=f"127.0.0.1:{port}"))
            models = home / "models.yaml"
            models.write_text(MODELS)
            (home / "documents" / "handbook").mkdir(parents=True)
            (home / "documents" / "handbook" / "three.md").write_text("Three is a number.\n")
            documents = home / "documents"
            settings = Settings(home=home, knowledge=documents, models=models if names == [routed.__name__] else None)
            prism = Installation.with_settings(settings, client, _answer)
            for name in names:
                if name in LOOPS:
                    _write(f"{name}.loop", await LOOPS[name](prism))
            async with prism.worker():
                for name in names:
                    if name in LOOPS:
                        continue
                    run = await SCENARIOS[name](prism)
                    with suppress(WorkflowFailureError):
                        await run.handle.result()
                    await _keep(prism, run, name)
        finally:
            server.terminate()
            await server.wait()


async def _keep(prism: Installation, run: Run, name: str) -> None:
    histories = [("run", await run.handle.fetch_history())]
    for row in prism.states(run):
        with suppress(Exception):
            histories.append((f"row-{row}", await run.row(row).fetch_history()))
    for part, history in histories:
        _write(f"{name}.{part}", history)


def _write(name: str, history: WorkflowHistory) -> None:
    path = HISTORIES / f"{name}.json"
    if not path.exists():
        # Stack traces name files: where somebody keeps theirs is nobody's business.
        path.write_text(history.to_json().replace(f"{ROOT}/", "") + "\n")


if __name__ == "__main__":
    wanted = sys.argv[1:] or [name for name in (*SCENARIOS, *LOOPS) if not list(HISTORIES.glob(f"{name}.*.json"))]
    asyncio.run(record(wanted))
