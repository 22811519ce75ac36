"""Commands of the system itself: up, login-link, worker."""

import asyncio

import click

from api.cli.session import load_settings
from temporal.logs import configure_logging
from temporal.names import TaskQueue

SHORT = {queue.value.removeprefix("prism-"): queue for queue in TaskQueue}


@click.command()
def up() -> None:
    """Start Prism: Temporal, workers, model gateway, API and console.

    Runs until Ctrl-C; runs go on at the next start. State is kept under PRISM_HOME.
    """
    from workers.up import up as run_up  # noqa: PLC0415 -- imports Temporal's SDK

    raise SystemExit(asyncio.run(run_up(load_settings(), report=click.echo)))


@click.command("login-link")
@click.argument("user", required=False)
def login_link(user: str | None) -> None:
    """Make a one-time login link, on Prism's own machine.

    For USER, or for the first administrator. It needs nothing but the installation's files: whoever has them can let
    themselves in.
    """
    click.echo(asyncio.run(_login_link(user)))


async def _login_link(user: str | None) -> str:
    from workers import identity  # noqa: PLC0415 -- imports the database
    from workers.compose import open_stores  # noqa: PLC0415 -- likewise

    settings = load_settings()
    accounts = identity.open_identity(settings, open_stores(settings).engine)
    if user is None:
        secret = await accounts.first_link()
        if secret is None:
            raise click.UsageError("an administrator can log in already; name a USER")
    else:
        secret = await accounts.links.create((await accounts.users.get(user)).name)
    return identity.login_link(settings.console_url, secret)


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
    configure_logging(settings.log_level)
    asyncio.run(run_worker(settings, [SHORT[name] for name in queues] or ALL_QUEUES))
