"""The command ``prism``. Its subcommands are imported when they are used: ``prism --help`` stays quick."""

import importlib
import json
from dataclasses import dataclass
from typing import Any, Final

import click


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what it does in one line.

    Args:
        module: Its module.
        attribute: The command's name in the module.
        help: As in the list of commands.
    """

    module: str
    attribute: str
    help: str


SECTIONS: Final[dict[str, dict[str, Entry]]] = {
    "Run catalogs": {
        "run": Entry("api.cli.run", "run", "Run a catalog, show its results; starts Prism if need be."),
        "validate": Entry("api.cli.catalogs", "validate", "Show all that is wrong with a catalog; works offline."),
        "estimate": Entry("api.cli.estimates", "estimate", "Show what a catalog would cost before it runs."),
        "submit": Entry("api.cli.catalogs", "submit", "Start a run of a catalog."),
        "plan": Entry("api.cli.catalogs", "plan", "Store a catalog's plan and show how plain Temporal starts it."),
        "columns": Entry("api.cli.catalogs", "columns", "List the columns of a catalog."),
        "agents": Entry("api.cli.agents", "agents", "List the agents and documents that rows may name."),
        "tools": Entry("api.cli.agents", "tools", "List the programs that models may have run."),
    },
    "Look": {
        "status": Entry("api.cli.look", "status", "Show a run, or follow it with --watch."),
        "runs": Entry("api.cli.look", "runs", "List runs."),
        "rows": Entry("api.cli.look", "rows", "List a run's rows."),
        "row": Entry("api.cli.look", "row", "Show a row with its output and every step."),
        "files": Entry(
            "api.cli.look", "files", "List the files that a row's program left, or download them with --out."
        ),
        "results": Entry("api.cli.look", "results", "Download every row's output as CSV, JSON lines or JSON."),
        "notifications": Entry("api.cli.look", "notifications", "List notifications."),
        "export": Entry("api.cli.verify", "export", "Download the proof of a run, which holds without Prism."),
        "verify": Entry("api.cli.verify", "verify", "Verify a row's provenance, or the proof of a whole run."),
    },
    "Steer": {
        "pause": Entry("api.cli.steer", "pause", "Start no further row; rows under way go on."),
        "resume": Entry("api.cli.steer", "resume", "Start rows again."),
        "cancel": Entry("api.cli.steer", "cancel", "Cancel a run with all its rows."),
        "retry": Entry("api.cli.steer", "retry", "Run rows again that failed, and what they blocked."),
        "skip": Entry("api.cli.steer", "skip", "End rows that were not started."),
        "concurrency": Entry("api.cli.steer", "concurrency", "Change how many rows are under way at once."),
    },
    "Review": {
        "reviews": Entry("api.cli.reviews", "reviews", "List what waits for a person, the most urgent first."),
        "review": Entry("api.cli.reviews", "review", "Show every round of a row's review, with changes."),
        "approve": Entry("api.cli.reviews", "approve", "Approve the output of a row that waits for a review."),
        "edit": Entry("api.cli.reviews", "edit", "Approve a row with another text."),
        "answer": Entry("api.cli.reviews", "answer", "Fill in the form of a row."),
        "reject": Entry("api.cli.reviews", "reject", "Reject the output of a row that waits for a review."),
        "request-changes": Entry("api.cli.reviews", "request_changes", "Have the model write the output anew."),
        "reassign": Entry("api.cli.reviews", "reassign", "Hand a review to others."),
        "claim": Entry("api.cli.reviews", "claim", "Claim a review; others are kept out."),
        "release": Entry("api.cli.reviews", "release", "Release a review that was claimed."),
        "comment": Entry("api.cli.reviews", "comment", "Leave a comment on a review."),
        "decide-all": Entry("api.cli.reviews", "decide_all", "Decide on all reviews that wait and fit."),
    },
    "Feedback": {
        "rate": Entry("api.cli.feedback", "rate", "Say whether a row's output is good or bad, and why."),
        "experiments": Entry("api.cli.experiments", "experiments", "Compare variants of prompts, models or agents."),
        "feedback": Entry("api.cli.feedback", "feedback", "Show votes and scores; export preference pairs."),
        "reflect": Entry("api.cli.reflections", "reflect", "Have a changed system prompt proposed for an agent."),
        "reflections": Entry("api.cli.reflections", "reflections", "List reflections, or show what came of one."),
    },
    "Account": {
        "login": Entry("api.cli.accounts", "login", "Log in at Prism's API."),
        "logout": Entry("api.cli.accounts", "logout", "End your session."),
        "whoami": Entry("api.cli.accounts", "whoami", "Show who you are and what you may do."),
        "sessions": Entry("api.cli.accounts", "sessions", "See and end your sessions."),
        "tokens": Entry("api.cli.accounts", "tokens", "Make and revoke API tokens."),
        "users": Entry("api.cli.accounts", "users", "List and change users."),
    },
    "System": {
        "system": Entry(
            "api.cli.installation",
            "system",
            "Show queues, policies, models, the local share, spending.",
        ),
        "budgets": Entry("api.cli.budgets", "budgets", "Show what was spent of each budget and what waits for more."),
        "failovers": Entry(
            "api.cli.usage",
            "failovers",
            "Show requests that deployments failed, where their calls went next, and circuits.",
        ),
        "usage": Entry("api.cli.usage", "usage", "Show calls, spend, latency, cache and local share, and what failed."),
        "allow": Entry("api.cli.budgets", "allow", "Allow more of a budget; rows that wait for it go on."),
        "cache": Entry("api.cli.cache", "cache", "Show and clear the cache of model answers."),
        "login-link": Entry("api.cli.system", "login_link", "Make a one-time login link, on Prism's own machine."),
        "up": Entry("api.cli.system", "up", "Start Prism: Temporal, workers, model gateway, API and console."),
        "audit": Entry("api.cli.audit", "audit", "Verify, export and list who did and decided what."),
        "scan": Entry("api.cli.scan", "scan", "Scan a folder with gitleaks, Bandit, Semgrep, Checkov, Trivy."),
        "policy": Entry("api.cli.policy", "policy", "Test, ask, explain and pack the policies."),
        "scans": Entry("api.cli.scans", "scans", "List, show and start scans of this installation's folders."),
        "secrets": Entry("api.cli.secrets", "secrets", "Set, read, list, rotate and delete secrets."),
        "keys": Entry("api.cli.keys", "keys", "List and rotate the keys that encrypt and those that sign."),
        "worker": Entry("api.cli.system", "worker", "Run a worker against a Temporal cluster."),
    },
}
COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class PrismGroup(click.Group):
    """Lists commands from a table, imports the one that is used, and tells faults without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command)  # noqa: S101 -- the table is ours
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or say which one was perhaps meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib  # noqa: PLC0415 -- only when something was mistyped

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands by theme."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()], col_spacing=3)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- click's signature
        """Run a command; a fault becomes one message and exit code 1."""
        from temporal.errors import PrismError  # noqa: PLC0415 -- light, yet not needed for --help

        try:
            return super().invoke(ctx)
        except PrismError as error:
            tell(error.code, error.message, error.details, as_json=bool(ctx.obj["json"]))
            ctx.exit(1)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            tell("INTERNAL", str(error), {}, as_json=bool(ctx.obj["json"]))
            ctx.exit(1)


def tell(code: str, message: str, details: dict[str, Any], *, as_json: bool) -> None:
    """Write a fault to stderr, for a person or as the API's error envelope."""
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message, "details": details}}, default=str), err=True)
        return
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message} {click.style(f'[{code}]', dim=True)}", err=True)
    if hint := details.get("hint"):
        click.echo(f"{click.style('hint:', fg='cyan', bold=True)}  {hint}", err=True)


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 -- reads the file system

    click.echo(f"prism {version('prism-console')}")
    context.exit()


@click.group(cls=PrismGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--json", "as_json", is_flag=True, help="Machine output, for any command.")
@click.option("--url", metavar="URL", help="Where Prism's API is.  [default: where 'prism up' serves it]")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def cli(context: click.Context, *, as_json: bool, url: str | None) -> None:
    """Run every row of a CSV prompt catalog as a durable, governed, signed workflow.

    \b
      prism run catalog.csv          try it: starts what it needs, shows the results
      prism validate catalog.csv     what is wrong with a catalog, and where
      prism up                       keep Prism running: API, console, workers

    Settings are environment variables (PRISM_HOME, PRISM_API_URL, PRISM_API_TOKEN, …). Exit codes: 0 all is well;
    1 an error, an invalid catalog or a run that did not succeed; 2 wrong usage.
    """  # noqa: D301 -- click reads the escape
    context.obj = {"json": as_json, "url": url}


def main() -> None:
    """Run the command line."""
    cli(prog_name="prism")


if __name__ == "__main__":
    main()
