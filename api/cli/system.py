"""Commands of the system itself: up, worker."""

import asyncio
import logging

import click

from api.cli.session import load_settings
from temporal.names import TaskQueue

SHORT = {queue.value.removeprefix("prism-"): queue for queue in TaskQueue}


@click.command()
def up() -> None:
    """Start Prism: Temporal, workers, model gateway, API and console.

    Runs until Ctrl-C; runs go on at the next start. State is kept under PRISM_HOME.
    """
    from workers.up import up as run_up  # noqa: PLC0415 -- imports Temporal's SDK

    raise SystemExit(asyncio.run(run_up(load_settings(), report=click.echo)))


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(list(SHORT)),
    help="Queue to serve; repeatable.  [default: all]",
)
def worker(queues: tuple[str, ...]) -> None:
    """Run a worker against a Temporal cluster.

    PRISM_TEMPORAL_ADDRESS names the cluster. Ends at Ctrl-C or SIGTERM, when what is under way is done.
    """
    from workers.worker import ALL_QUEUES, run_worker  # noqa: PLC0415 -- imports every backend

    settings = load_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_worker(settings, [SHORT[name] for name in queues] or ALL_QUEUES))
