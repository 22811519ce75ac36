"""Every column that Prism knows, once: read by the reader, the documentation and the warnings."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from catalogs import cells
from catalogs.criteria_list import split_criteria
from catalogs.experiment import participation
from catalogs.file_patterns import file_patterns
from catalogs.forms import parse_form
from catalogs.row import Cache, Language, Mode, OnDeadline, Review, Risk, Scan
from catalogs.schemas import parse_object_schema
from catalogs.secret_cells import references
from catalogs.team import DEFAULT_PLANNED, MAX_PLANNED, MAX_ROUNDS, Pattern
from catalogs.tools import tool_names


@dataclass(frozen=True, slots=True)
class Column:
    """One known column.

    Args:
        name: As in ``CatalogRow`` and, after normalisation, in the file's header.
        type: What a cell may hold, for a person.
        default: What an empty cell or a missing column means, for a person.
        example: A cell.
        doc: One sentence.
        parse: Turns a cell that is not blank into a value; raises ``BadCell``.
    """

    name: str
    type: str
    default: str
    example: str
    doc: str
    parse: Callable[[str], Any]
    required: bool = False


COLUMNS: Final = (
    Column("board", "text", "empty", "treasury", "Agent or target that the task belongs to.", cells.plain),
    Column("task", "text", "empty", "cash-report", "Key of the task within its board.", cells.plain),
    Column("title", "text", "empty", "Weekly cash report", "What people call the task.", cells.plain),
    Column(
        "objective",
        "text",
        "**required**",
        "State the week's cash position",
        "What is to be achieved.",
        cells.plain,
        required=True,
    ),
    Column("stack", "text", "empty", "SAP, Excel", "Tools and technologies the work may use.", cells.plain),
    Column(
        "workflow",
        "steps separated by ` > `",
        "none",
        "collect > compare > report",
        "Ordered steps to follow; a `>` without spaces around it is text.",
        cells.steps,
    ),
    Column(
        "verification",
        "criteria separated by `;`",
        "none",
        'max_words:200; contains:EUR; regex:"a;b"',
        "Acceptance criteria. Write a `;` within a criterion as `\\;`, or put the argument in double quotes.",
        split_criteria,
    ),
    Column(
        "output_schema",
        "`name:type` fields separated by `;`, or a JSON schema of an object",
        "none: text",
        "city:text; people:integer; note?:text",
        "The answer is JSON that fits it; one that does not is repaired once. "
        'Later rows read its fields: `{{ data["<id>"].city }}`.',
        parse_object_schema,
    ),
    Column(
        "id",
        "letters, digits, `. _ - /`",
        "slug of `board/task`, else `row-<n>`",
        "treasury/cash-report",
        "Unique name of the row; other rows refer to it.",
        cells.identifier,
    ),
    Column(
        "depends_on",
        "ids separated by `;`, `,` or spaces",
        "none, and what `prompt` refers to",
        "treasury/rates; treasury/limits",
        "Rows that must succeed first.",
        cells.names,
    ),
    Column(
        "agent",
        "text; with `pattern`, agents separated by ` > ` or `;`",
        "the board",
        "writer > critic > editor",
        "Agent that answers, by its name, or else a role in words; with `pattern` several agents.",
        cells.plain,
    ),
    Column(
        "pattern",
        "`pipeline`, `vote`, `judge`, `debate`, `map`, `plan`",
        "one agent",
        "pipeline",
        "How several agents work together; of `judge`, `debate` and `map` the last one named has the last word. "
        "With `plan` one agent proposes further rows of the run.",
        cells.choice(Pattern),
    ),
    Column("rounds", "whole number 1 to 5", "2", "3", "Rounds of a debate.", cells.whole(1, MAX_ROUNDS)),
    Column(
        "plan_rows",
        f"whole number 1 to {MAX_PLANNED}",
        str(DEFAULT_PLANNED),
        "5",
        "Most rows that a row with pattern `plan` may propose.",
        cells.whole(1, MAX_PLANNED),
    ),
    Column(
        "knowledge",
        "names separated by `;`, `,` or spaces",
        "none",
        "handbook",
        "Collections of documents whose fitting passages are put before the model.",
        cells.names,
    ),
    Column(
        "remember",
        "letters, digits, `. _ - /`",
        "not remembered",
        "tone",
        "Key under which agents of later rows of the run read this row's output as a note.",
        cells.identifier,
    ),
    Column(
        "model",
        "text",
        "`auto`: the routing's choice, or the default group",
        "fast",
        "Model group that answers.",
        cells.plain,
    ),
    Column(
        "prompt",
        "Jinja2 template",
        "composed from the row",
        'Sum up: {{ outputs["a"] }}',
        'What the model is asked; knows `row.<column>`, `outputs["<id>"]`, `data["<id>"]` and unknown columns by name.',
        cells.verbatim,
    ),
    Column(
        "experiment",
        "name of an experiment, or `name:key`",
        "none",
        "tone:customer-17",
        "Experiment that gives the row one of its variants; rows with the same key always get the same one.",
        participation,
    ),
    Column(
        "mode",
        "`single`, `stepwise`",
        "`single`",
        "stepwise",
        "One model call with all steps, or one call a step that sees the earlier answers.",
        cells.choice(Mode),
    ),
    Column(
        "language",
        "`python`, `shell`, `javascript`",
        "none",
        "python",
        "Runs code in the sandbox: `code`, or the first fenced block of the answer.",
        cells.choice(Language),
    ),
    Column("code", "text", "empty", "print(6 * 7)", "Program to run; needs `language`.", cells.verbatim),
    Column(
        "tools",
        "names separated by `;`, `,` or spaces",
        "none, and agents' own",
        "add; lookup",
        "Programs of `PRISM_TOOLS` that the model may have run in the sandbox before it answers; where agents have "
        "tools of their own, only these of them.",
        tool_names,
    ),
    Column(
        "secrets",
        "`NAME=secret://catalogs/…` separated by `;`",
        "none",
        "DB_PASSWORD=secret://catalogs/db#password",
        "Secrets that `code` finds in its environment; needs `code`. No other column takes references.",
        references,
    ),
    Column(
        "files",
        "paths separated by `;`, with `*`, `**`, `?`",
        "none",
        "report.csv; charts/*.png; data/**",
        "Files that the program leaves in its folder and that are kept; needs `language`. The program finds the files "
        "of rows it depends on below `inputs/<row id>/`.",
        file_patterns,
    ),
    Column(
        "workspace",
        "id of a row",
        "an empty folder",
        "treasury/collect",
        "Row whose kept files the program finds in its own folder, to go on with them; that row must succeed first.",
        cells.identifier,
    ),
    Column(
        "review",
        "`none`, `required`, `policy`",
        "`none`",
        "required",
        "Whether a person approves the output; `policy` leaves it to the policy.",
        cells.choice(Review),
    ),
    Column(
        "reviewers",
        "names separated by `;`, `,` or spaces",
        "anyone allowed",
        "ana; role:cfo",
        "Who may review: persons, and roles as `role:<name>`.",
        cells.names,
    ),
    Column("quorum", "whole number from 1", "1", "2", "How many must approve.", cells.whole(1, 1000)),
    Column(
        "deadline",
        "duration",
        "none",
        "3d",
        "How long the review may wait: `45m`, `8h`, `3d`, `1h30m`, `90s`.",
        cells.duration,
    ),
    Column(
        "on_deadline",
        "`reject`, `approve`, `wait`",
        "`reject`",
        "wait",
        "What follows when nobody decided in time; `approve` counts only where the policy lets silence approve.",
        cells.choice(OnDeadline),
    ),
    Column(
        "escalate",
        "names separated by `;`, `,` or spaces",
        "none",
        "role:cfo",
        "Who is told, and may decide too, when three quarters of the deadline have passed.",
        cells.names,
    ),
    Column(
        "form",
        "`name:type` fields separated by `;`, or a JSON schema",
        "none",
        "ratio:number; currency:EUR|USD; note?:text",
        "Fields that the reviewer fills in: `text`, `number`, `integer`, `boolean` or choices; `?` makes one optional.",
        parse_form,
    ),
    Column(
        "risk",
        "`low`, `medium`, `high`, `critical`",
        "`low`",
        "high",
        "How much harm a wrong output could do.",
        cells.choice(Risk),
    ),
    Column(
        "data_class",
        "`public`, `internal`, `confidential`, `restricted`, or what the policy knows",
        "none",
        "restricted",
        "How closely the row's data is kept; some classes go to local models only.",
        cells.word,
    ),
    Column(
        "scan",
        "`secrets`, `code`, `none`",
        "`secrets`",
        "code",
        "Scan of the output: for secrets, or for secrets and for harmful code.",
        cells.choice(Scan),
    ),
    Column(
        "notify",
        "channels separated by `;` or spaces",
        "none",
        "inbox; mailto://ops@example.org",
        "Who is told how the row ended.",
        cells.channels,
    ),
    Column(
        "cache",
        "`use`, `bypass`, `refresh`, `semantic`",
        "`PRISM_CACHE`",
        "use",
        "Whether the same call's earlier answer may serve; `refresh` asks anew and keeps the answer for others, "
        "`semantic` takes that of a similar call too.",
        cells.choice(Cache),
    ),
    Column("priority", "whole number 1 to 5", "3", "1", "1 starts first, 5 last.", cells.whole(1, 5)),
    Column("timeout", "duration", "`2m`", "5m", "Longest one model call may take.", cells.duration),
    Column("retries", "whole number from 0", "3", "5", "Further attempts of a model call.", cells.whole(0, 100)),
    Column("budget_usd", "amount", "none", "0.25", "Most the row's model calls may cost.", cells.money),
    Column("labels", "`key=value; key`", "none", "team=treasury; urgent", "Labels to filter by.", cells.labels),
)
_LONGEST_COMPARED: Final = 100
BY_NAME: Final = {column.name: column for column in COLUMNS}
NAMES: Final = frozenset(BY_NAME)


def normalised(header: str) -> str:
    """Return a header as a column name: trimmed, lower case, spaces and hyphens as ``_``."""
    return re.sub(r"[\s\-]+", "_", header.strip().lower())


def near_misses(name: str, known: Iterable[str] = tuple(BY_NAME)) -> tuple[str, ...]:
    """Return the known names that a name was perhaps meant to be, the nearest first."""
    if len(name) > _LONGEST_COMPARED:
        return ()
    return tuple(difflib.get_close_matches(name, list(known), n=2, cutoff=0.7))


def columns_markdown() -> str:
    """Return the table of all columns, for the README."""
    lines = ["| column | type | default | example | meaning |", "|---|---|---|---|---|"]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _markdown_cells(column)) + " |" for column in COLUMNS
    ]
    return "\n".join(lines) + "\n"


def _markdown_cells(column: Column) -> tuple[str, ...]:
    return f"`{column.name}`", column.type, column.default, f"`{column.example}`", column.doc
