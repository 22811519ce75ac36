"""Commands about catalogs: validate, submit, plan, columns."""

import asyncio
import io
import shlex
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import click
from rich.text import Text

from api.cli import estimates, tables, text
from api.cli.progress import follow
from api.cli.reading import (
    FILE,
    check,
    contents,
    file_name,
    reading_options,
    told,
    tool_options,
    with_installed,
)
from api.cli.session import Session, err, out, with_session
from api.client import PrismApiError
from api.models import Validation
from catalogs.columns import COLUMNS, columns_markdown
from catalogs.compiler import compile_catalog
from catalogs.faults import KEPT_FAULTS, Fault, InvalidCatalog
from catalogs.options import ReadOptions
from temporal.contract import run_workflow_id
from temporal.names import ErrorCode, TaskQueue, WorkflowName
from workflows.contracts import RUN_REVISION, CatalogRun, RunOptions


@click.command()
@FILE
@reading_options
@click.option("--show", type=click.IntRange(1), default=KEPT_FAULTS, show_default=True, help="Faults to show.")
@click.option("--submitter", default="", help="Who would submit it: the policy may keep boards to some people.")
@with_session
def validate(session: Session, file: Path, options: ReadOptions, show: int, submitter: str) -> None:
    """Show all that is wrong with a catalog; works offline.

    Exit code 1 when it cannot run, or when the policy would not let it start. FILE may be - for standard input.
    """
    # Experiments are in the records, and this works without them.
    known = options.model_copy(update={"keep_faults": show, "experiments": None})
    found = asyncio.run(_checked(session, file, known, submitter))
    session.show(found, *told(file_name(file), found))
    if not found.valid:
        raise SystemExit(1)


@click.command()
@FILE
@reading_options
@click.option("--title", help="What the run is called.  [default: the file's name]")
@click.option("--run", "run_id", help="Run id of your choice.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Rows under way at once.")
@click.option("--budget-usd", type=click.FloatRange(0, min_open=True), help="Most that its model calls may cost.")
@click.option("--pin-policy", is_flag=True, help="Keep to the policy in force now, whatever is newer later.")
@tool_options
@click.option("--idempotency-key", help="The same catalog under the same key is one run.")
@click.option("--watch", is_flag=True, help="Follow the run to its end; exit code 1 unless every row succeeded.")
@with_session
def submit(  # noqa: PLR0913, PLR0917 -- click gives each option as an argument
    session: Session,
    file: Path,
    options: ReadOptions,
    title: str | None,
    run_id: str | None,
    concurrency: int | None,
    budget_usd: float | None,
    pin_policy: bool,
    tool_rounds: int | None,
    tool_calls: int | None,
    idempotency_key: str | None,
    watch: bool,
) -> None:
    """Start a run of a catalog.

    FILE may be - for standard input. The system must be up: prism up.
    """
    with session.client() as client:
        try:
            submitted = client.submit(
                contents(file),
                title=title or file_name(file),
                map=options.columns,
                literal=options.literal,
                skip_invalid=options.skip_invalid,
                concurrency=concurrency,
                budget_usd=budget_usd,
                pin_policy=pin_policy,
                tool_rounds=tool_rounds,
                tool_calls=tool_calls,
                run=run_id,
                idempotency_key=idempotency_key,
            )
        except PrismApiError as error:
            if error.code is ErrorCode.INVALID_CATALOG and not session.as_json:
                kept = [Fault.model_validate(fault) for fault in error.details.get("faults", [])]
                err().print(tables.faults(kept))
            raise
        if not watch:
            new = "started" if submitted.created else "was there before"
            session.show(
                submitted,
                *([tables.faults(submitted.warnings)] if submitted.warnings else []),
                *(estimates.told(submitted.estimate) if submitted.estimate else []),
                Text.assemble(
                    ("✓ ", "bold green"), f"run {submitted.run} {new}: {text.plural(submitted.total, 'row')}"
                ),
                Text(
                    f"  follow it:  prism status {submitted.run} --watch\n"
                    f"  console:    {session.url}/runs/{submitted.run}",
                    style="dim",
                ),
            )
            return
        view = follow(session, client, submitted.run)
        session.show(view, tables.run(view))
    if not tables.succeeded(view):
        raise SystemExit(1)


@click.command()
@FILE
@reading_options
@click.option("--title", help="What the run is called.  [default: the file's name]")
@click.option("--run", "run_id", help="Run id of your choice.")
@click.option("--concurrency", type=click.IntRange(1), help="Rows under way at once.")
@click.option("--budget-usd", type=click.FloatRange(0, min_open=True), help="Most that its model calls may cost.")
@tool_options
@with_session
def plan(  # noqa: PLR0913, PLR0917 -- click gives each option as an argument
    session: Session,
    file: Path,
    options: ReadOptions,
    title: str | None,
    run_id: str | None,
    concurrency: int | None,
    budget_usd: float | None,
    tool_rounds: int | None,
    tool_calls: int | None,
) -> None:
    """Store a catalog's plan and show how plain Temporal starts it.

    Writes to the artifact store of PRISM_HOME, which the workers must share; starts nothing.
    """
    from activities.experiments.register import SqlExperiments  # noqa: PLC0415 -- the database is heavy
    from workers.compose import open_stores  # noqa: PLC0415 -- likewise

    settings = session.settings
    source = contents(file)
    name = title or file_name(file)
    stores = open_stores(settings)
    write = stores.artifacts.write
    experiments = asyncio.run(SqlExperiments(stores.engine).variants())
    options = with_installed(options.model_copy(update={"experiments": experiments}), settings)
    try:
        compiled = compile_catalog(io.BytesIO(source) if isinstance(source, bytes) else source, name, write, options)
    except InvalidCatalog as error:
        if not session.as_json:
            err().print(tables.faults(error.faults))
        raise
    limits = {"tool_rounds": tool_rounds, "tool_calls": tool_calls}
    request = CatalogRun(
        run=run_id or uuid.uuid4().hex[:16],
        plan=compiled.digest,
        title=name,
        total=compiled.plan.total,
        page_rows=compiled.plan.page_rows,
        options=RunOptions(
            concurrency=concurrency or settings.concurrency,
            judge_group=settings.judge_group,
            budget_usd=budget_usd,
            **{name: most for name, most in limits.items() if most},
        ),
        revision=RUN_REVISION,
    )
    command = [
        *("temporal", "workflow", "start"),
        *("--address", settings.temporal.target, "--namespace", settings.temporal.namespace),
        *("--type", WorkflowName.CATALOG, "--task-queue", TaskQueue.WORKFLOWS),
        *("--workflow-id", run_workflow_id(request.run)),
        *("--input", request.model_dump_json(exclude_defaults=True)),
    ]
    if session.as_json:
        session.show({"input": request.model_dump(mode="json"), "command": command})
        return
    click.echo(request.model_dump_json(indent=2))
    click.echo(f"\n{shlex.join(command)}")


@click.command()
@click.option("--markdown", is_flag=True, help="As a Markdown table.")
@with_session
def columns(session: Session, markdown: bool) -> None:
    """List the columns of a catalog."""
    if markdown:
        click.echo(columns_markdown(), nl=False)
        return
    if session.as_json:
        fields = ("name", "type", "default", "example", "doc", "required")
        session.show({"columns": [{name: getattr(column, name) for name in fields} for column in COLUMNS]})
        return
    made = tables.table("column", "type", "default", "example", "meaning")
    for column in COLUMNS:
        cells = (column.type, column.default.replace("**", ""), column.example, column.doc)
        made.add_row(Text(column.name, style="bold"), *(Text(cell.replace("`", "")) for cell in cells))
    out().print(made)


async def _checked(session: Session, file: Path, options: ReadOptions, submitter: str) -> Validation:
    from workers.policy import open_policy  # noqa: PLC0415 -- the engine is heavy

    async with AsyncExitStack() as stack:
        known = with_installed(options, session.settings)
        return await check(contents(file), known, await open_policy(session.settings, stack), submitter)
