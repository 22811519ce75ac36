import codecs
import io

import pytest

from catalogs.faults import MISSING_OBJECTIVE, Fault, Findings
from catalogs.options import ReadOptions
from catalogs.reader import CatalogReader
from catalogs.row import CatalogRow, Language, Mode, Review, Risk
from catalogs.tools import Tool
from temporal.names import ErrorCode


def read(data: bytes | str, **options: object) -> tuple[list[CatalogRow], Findings]:
    chosen = ReadOptions.model_validate(options)
    findings = Findings(chosen.keep_faults)
    source = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return list(CatalogReader(source, chosen, findings)), findings


def rows_of(data: bytes | str, **options: object) -> list[CatalogRow]:
    rows, findings = read(data, **options)
    assert findings.errors == ()
    return rows


def only_error(data: bytes | str, **options: object) -> Fault:
    _, findings = read(data, **options)
    assert findings.errors_found == 1, findings.errors
    return findings.errors[0]


SEVEN = "board,task,title,objective,stack,workflow,verification\n"


def test_the_seven_real_columns_are_enough() -> None:
    (row,) = rows_of(SEVEN + "Treasury,Cash Report,Weekly,State the cash,SAP,collect > compare,is short; max_words:9\n")
    assert row == CatalogRow(
        id="treasury/cash-report",
        line=2,
        board="Treasury",
        task="Cash Report",
        title="Weekly",
        objective="State the cash",
        stack="SAP",
        workflow=("collect", "compare"),
        verification=("is short", "max_words:9"),
    )


def test_every_control_column_is_read() -> None:
    cells = {
        "id": "a", "objective": "do", "agent": "ana", "model": "fast", "mode": "Stepwise", "workflow": "x > y>z",
        "language": "python", "code": "print(1)", "review": "required", "reviewers": "ana; bob,eve", "quorum": "2",
        "deadline": "1h30m", "risk": "HIGH", "scan": "none", "notify": "inbox; mailto:a@b?x=1,2", "priority": "1",
        "timeout": "90s", "retries": "0", "budget_usd": "$0.25", "labels": "team=ops; urgent",
    }  # fmt: skip
    header = ",".join(cells)
    values = ",".join(f'"{value}"' for value in cells.values())
    (row,) = rows_of(f"{header}\n{values}\n")
    assert (row.mode, row.language, row.review, row.risk) == (
        Mode.STEPWISE,
        Language.PYTHON,
        Review.REQUIRED,
        Risk.HIGH,
    )
    assert row.workflow == ("x", "y>z")
    assert row.reviewers == ("ana", "bob", "eve")
    assert row.notify == ("inbox", "mailto:a@b?x=1,2")
    assert (row.deadline, row.timeout, row.retries, row.priority, row.quorum) == (5400, 90, 0, 1, 2)
    assert row.budget_usd == pytest.approx(0.25)
    assert row.labels == {"team": "ops", "urgent": ""}


TEXT = 'id,objective,stack\na,"größe, ✓",x\nb,two,\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", ";").replace("größe;", "größe,").encode(),
        TEXT.replace(",", "\t").replace("größe\t", "größe,").encode(),
        ("sep=;\n" + TEXT.replace(",", ";").replace("größe;", "größe,")).encode(),
        ("# note, with a comma\n\n" + TEXT + "\n,,\n# end").encode(),
        TEXT.rstrip("\n").encode(),
        TEXT.replace("id,objective", " ID , Objective ").encode(),
    ],
    ids=["utf8", "bom", "utf16le", "utf16be", "crlf", "cr", ";", "tab", "sep", "comments", "no-newline", "header-case"],
)
def test_encodings_line_ends_and_delimiters(data: bytes) -> None:
    assert [(row.id, row.objective, row.stack) for row in rows_of(data)] == [("a", "größe, ✓", "x"), ("b", "two", "")]


def test_a_stream_may_hand_out_single_bytes() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 1))

    data = codecs.BOM_UTF16_LE + TEXT.replace("\n", "\r\n").encode("utf-16-le")
    rows = list(CatalogReader(Dripping(data), ReadOptions(), Findings()))
    assert [row.line for row in rows] == [2, 3]


def test_lines_are_physical_after_comments_blanks_and_quoted_newlines() -> None:
    data = (
        '# c\n\nid,objective,prompt\n# c\na,"one\r\ntwo\r\n\r\n# not a comment",p\n\nb,x,\n# c\n"c",y,"\n\nz"\nd,e,\n'
    )
    rows = rows_of(data)
    assert [(row.id, row.line) for row in rows] == [("a", 5), ("b", 10), ("c", 12), ("d", 15)]
    assert rows[0].objective == "one\ntwo\n\n# not a comment"


def test_a_fault_in_a_multi_line_row_names_the_line_of_its_cell() -> None:
    fault = only_error('id,objective,priority\na,"one\ntwo\nthree",9\n')
    assert (fault.line, fault.row, fault.column, fault.found) == (4, "a", "priority", "9")


def test_quotes() -> None:
    rows = rows_of('id,objective,stack\na,"say ""hi""",  "x, y" \nb,5" pipe,"" \n')
    assert [(row.objective, row.stack) for row in rows] == [('say "hi"', "x, y"), ('5" pipe', "")]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("board,task,objective\nA b,C/d,o\n", ["a-b/c-d"]),
        ("board,task,objective\n,T,o\n", ["t"]),
        ("board,task,objective\nB,,o\nB,,o\n", ["b/row-1", "b/row-2"]),
        ("objective\n# c\no\n\np\n", ["row-1", "row-2"]),
        ("board,task,objective\nKäse,日本,o\n", ["kase/row-1"]),
    ],
)
def test_rows_without_an_id_get_one(text: str, ids: list[str]) -> None:
    assert [row.id for row in rows_of(text)] == ids


def test_unknown_columns_become_variables_and_near_misses_are_named() -> None:
    rows, findings = read("objective,depend_on,Due Date\no,x,today\n")
    assert rows[0].variables == {"depend_on": "x", "due_date": "today"}
    assert [(fault.code, fault.column) for fault in findings.warnings] == [
        (ErrorCode.UNKNOWN_COLUMN, "depend_on"),
        (ErrorCode.UNKNOWN_COLUMN, "due_date"),
    ]
    assert "did you mean 'depends_on'" in findings.warnings[0].message
    assert findings.errors_found == 0


def test_a_mapping_adopts_other_headers_and_braces_stay_text() -> None:
    data = 'act,prompt\nWriter,"Write {{ this }}, {% that %}, {x} and `y`"\n'
    (row,) = rows_of(data, columns={"prompt": "objective", "act": "title"})
    assert (row.title, row.objective, row.prompt) == ("Writer", "Write {{ this }}, {% that %}, {x} and `y`", "")


def test_literal_prompts_are_not_templates() -> None:
    (row,) = rows_of("objective,prompt\no,{{ nothing }} {% here\n", literal=True)
    assert (row.literal, row.prompt) == (True, "{{ nothing }} {% here")


def test_a_template_implies_dependencies() -> None:
    rows = rows_of("id,objective,depends_on,prompt\na,o,,\nb,o,,\nc,o,b,\"{{ outputs['a'] }}{{ outputs.b }}\"\n")
    assert rows[2].depends_on == ("b", "a")


@pytest.mark.parametrize(
    ("cell", "criteria"),
    [
        ("a; b ;;c", ("a", "b", "c")),
        (r"regex:a\;b; c", ("regex:a;b", "c")),
        ('regex:"a;b"; c', ("regex:a;b", "c")),
        ('"a; b";c', ("a; b", "c")),
        ('contains:"say ""x;y"""; c', ('contains:say "x;y"', "c")),
        ('json_schema:{"const":"a;b"}; c', ('json_schema:{"const":"a;b"}', "c")),
        ('"open; b', ('"open', "b")),
        ('the 5" pipe; b', ('the 5" pipe', "b")),
        ('"Net" first; b', ('"Net" first', "b")),
        (r"regex:\d+; b", (r"regex:\d+", "b")),
    ],
)
def test_criteria_are_separated_by_semicolons(cell: str, criteria: tuple[str, ...]) -> None:
    quoted = cell.replace('"', '""')
    assert rows_of(f'objective,verification\no,"{quoted}"\n')[0].verification == criteria


HEADER = "id,objective,depends_on,mode,timeout,retries,priority,budget_usd,verification,prompt,labels,notify,secrets\n"


def cell_of(column: str, text: str) -> str:
    names = HEADER.strip().split(",")
    names += [column] * (column not in names)
    cells = dict.fromkeys(names, "") | {"id": "a", "objective": "o", column: text}
    return ",".join(names) + "\n" + ",".join('"' + cells[name].replace('"', '""') + '"' for name in names) + "\n"


@pytest.mark.parametrize(
    ("column", "text", "code", "says"),
    [
        ("objective", " ", ErrorCode.INVALID_TASK_DEFINITION, MISSING_OBJECTIVE),
        ("id", "a b", ErrorCode.INVALID_ID, "letters, digits and . _ - /"),
        ("id", "../x", ErrorCode.INVALID_ID, "'../x'"),
        ("id", "a/../b", ErrorCode.INVALID_ID, "'a/../b'"),
        ("id", "x" * 201, ErrorCode.INVALID_ID, "at most 200"),
        ("mode", "twice", ErrorCode.INVALID_VALUE, "one of single, stepwise"),
        ("timeout", "soon", ErrorCode.INVALID_VALUE, "a duration such as 45m"),
        ("timeout", "120", ErrorCode.INVALID_VALUE, "did you mean 120s"),
        ("timeout", "0s", ErrorCode.INVALID_VALUE, "longer than 0s"),
        ("timeout", "99999999d", ErrorCode.INVALID_VALUE, "not longer than"),
        ("timeout", "30m1h", ErrorCode.INVALID_VALUE, "a duration"),
        ("retries", "-1", ErrorCode.INVALID_VALUE, "from 0 to 100"),
        ("retries", "1e3", ErrorCode.INVALID_VALUE, "whole number"),
        ("priority", "6", ErrorCode.INVALID_VALUE, "from 1 to 5"),
        ("priority", "²", ErrorCode.INVALID_VALUE, "from 1 to 5"),
        ("budget_usd", "nan", ErrorCode.INVALID_VALUE, "amount in US dollars"),
        ("labels", "=x", ErrorCode.INVALID_VALUE, "labels such as"),
        ("verification", "regex:(", ErrorCode.INVALID_CRITERION, "regular expression"),
        ("secrets", "token=secret://catalogs/db", ErrorCode.INVALID_VALUE, "environment variables in capitals"),
        ("secrets", "secret://catalogs/db", ErrorCode.INVALID_VALUE, "environment variables in capitals"),
        ("secrets", "LD_PRELOAD=secret://catalogs/db", ErrorCode.INVALID_VALUE, "which an interpreter obeys"),
        ("secrets", "A=secret://catalogs/a; A=secret://catalogs/b", ErrorCode.INVALID_VALUE, "A once"),
        ("secrets", "A=secret://openai", ErrorCode.INVALID_VALUE, "begins with catalogs/: rows read no others"),
        ("secrets", "A=secret://catalogs/../openai", ErrorCode.INVALID_VALUE, "a reference such as secret://name"),
        ("secrets", "A=secret://catalogs/db", ErrorCode.INVALID_VALUE, "what a model wrote does not"),
        ("objective", "Use secret://catalogs/db", ErrorCode.INVALID_VALUE, "would go to a model"),
        ("prompt", "{{ 1 }} secret://openai#key", ErrorCode.INVALID_VALUE, "column 'secrets' gives it to 'code'"),
        ("notify", "secret://hook", ErrorCode.INVALID_VALUE, "refers to a secret, and takes none"),
        ("output_schema", "city:town", ErrorCode.INVALID_VALUE, "fields such as city:text"),
        ("output_schema", ";", ErrorCode.INVALID_VALUE, "1 to 50 fields"),
        ("output_schema", '{"type":"array"}', ErrorCode.INVALID_VALUE, "a JSON schema of an object"),
        ("output_schema", '{"type":"object","$ref":"http://x"}', ErrorCode.INVALID_VALUE, "without remote references"),
        ("output_schema", '{"type":"object","required":1}', ErrorCode.INVALID_VALUE, "1 is not of type 'array'"),
        ("prompt", "{{ data[row.id] }}", ErrorCode.INVALID_TEMPLATE, "must be followed by the id"),
        ("prompt", "{{ row.objective", ErrorCode.INVALID_TEMPLATE, "line 1, character 1"),
        ("prompt", "ok\n{{ row.objektive }}", ErrorCode.INVALID_TEMPLATE, "did you mean row.objective"),
        ("prompt", "{{ outputs[row.id] }}", ErrorCode.INVALID_TEMPLATE, "must be followed by the id"),
    ],
)
def test_a_bad_cell_is_explained(column: str, text: str, code: ErrorCode, says: str) -> None:
    fault = only_error(cell_of(column, text))
    assert (fault.code, fault.column) == (code, column)
    assert says in fault.message
    assert fault.line == (3 if "\n" in text else 2)
    assert fault.expected


@pytest.mark.parametrize(
    ("data", "code", "line", "says"),
    [
        ("", ErrorCode.EMPTY_CATALOG, None, "the file is empty"),
        ("# only\n\n", ErrorCode.EMPTY_CATALOG, None, "the file is empty"),
        ("objective\n", ErrorCode.EMPTY_CATALOG, None, "has a header and no rows"),
        ("\ntitle,goal\na,b\n", ErrorCode.MISSING_COLUMN, 2, "--map goal=objective"),
        ("objective,Objective \na,b\n", ErrorCode.DUPLICATE_COLUMN, 1, "column 2 is a second 'objective'"),
        ("objective,,task\na,b,c\n", ErrorCode.EMPTY_COLUMN_NAME, 1, "column 2 of 3 has no name"),
        ("id,objective\na,o\n\na,o\n", ErrorCode.DUPLICATE_ID, 4, "taken by the row on line 2"),
        ("id,objective\na,say this, then that\n", ErrorCode.WRONG_FIELD_COUNT, 2, "extra: 'then that'"),
        ("id,objective,task\na,o\n", ErrorCode.WRONG_FIELD_COUNT, 2, "missing: task"),
        ('id,objective\na,"x" y\n', ErrorCode.MALFORMED_CSV, 2, "text follows the closing double quote: ' y'"),
        ('id,objective\na,o\nb,"x\nc,o\n', ErrorCode.MALFORMED_CSV, 3, "never closed"),
        (b"id,objective\na,o\nb,caf\xe9s\n", ErrorCode.UNDECODABLE_BYTES, 3, "byte 22 of the file: e9"),
        (b"id,objective\r\n# \xff\r\na,o\r\n", ErrorCode.UNDECODABLE_BYTES, 2, "byte 16 of the file: ff"),
        (codecs.BOM_UTF16_LE + "objective\no".encode("utf-16-le") + b"\x00", ErrorCode.UNDECODABLE_BYTES, 2, "00"),
        ('id,objective\na,"x\n\0"\n', ErrorCode.NUL_BYTE, 3, "column 'objective'"),
        ("objective,code\no,print(1)\n".replace("\n", "\n"), ErrorCode.INVALID_VALUE, 2, "must name its language"),
        ("objective,reviewers,quorum\no,ana,2\n", ErrorCode.INVALID_VALUE, 2, "only 1 reviewers"),
    ],
)
def test_a_fault_of_the_file_is_explained(data: bytes | str, code: ErrorCode, line: int | None, says: str) -> None:
    fault = only_error(data)
    assert (fault.code, fault.line) == (code, line)
    assert says in fault.message


def test_the_program_of_a_row_may_refer_to_secrets() -> None:
    row = rows_of(
        "objective,language,code,secrets\n"
        "o,python,pass,DB_PASSWORD = secret://catalogs/db#password ; TOKEN=secret://catalogs/api\n"
    )[0]
    assert row.secrets == {"DB_PASSWORD": "secret://catalogs/db#password", "TOKEN": "secret://catalogs/api"}


def test_a_value_in_place_of_its_reference_is_not_repeated() -> None:
    fault = only_error(cell_of("secrets", "TOKEN=sk-canary-1; x"))
    assert "canary" not in fault.model_dump_json()


def test_a_variable_column_takes_no_reference() -> None:
    fault = only_error('objective,customer\no,"see secret://catalogs/db"\n')
    assert (fault.column, fault.line, "takes none" in fault.message) == ("customer", 2, True)


def test_the_missing_objective_is_worded_for_programs() -> None:
    fault = only_error("id,objective\na,\n")
    assert fault.message == "Task missing required field: 'objective'"


@pytest.mark.parametrize(
    "cell", ["x" * 200, '"' + "x" * 200 + '"', '"' + "x\n" * 100 + '"', "x" * 5000, '"' + "x" * 5000 + '"']
)
def test_a_cell_that_is_too_large_does_not_hide_what_follows(cell: str) -> None:
    rows, findings = read(f"id,objective,stack\na,{cell},s\nb,o,\nc,,\n", max_cell_chars=100)
    assert [row.id for row in rows] == ["b"]
    assert [fault.code for fault in findings.errors] == [ErrorCode.CELL_TOO_LARGE, ErrorCode.INVALID_TASK_DEFINITION]
    assert findings.errors[0].line == 2


def test_all_faults_are_found_and_the_kept_are_capped() -> None:
    _, findings = read("id,objective,mode\n" + "".join(f"r{n},,bad\n" for n in range(80)))
    assert findings.errors_found == 160
    assert len(findings.errors) == 100
    assert [fault.line for fault in findings.errors[:4]] == [2, 2, 3, 3]


def test_a_missing_column_is_told_once_and_other_faults_still_found() -> None:
    _, findings = read("id,mode\na,single\nb,never\n")
    assert [fault.code for fault in findings.errors] == [ErrorCode.MISSING_COLUMN, ErrorCode.INVALID_VALUE]
    assert MISSING_OBJECTIVE in findings.errors[0].message


def test_a_free_text_that_nearly_names_a_form_is_warned_of() -> None:
    _, findings = read("objective,verification\no,max_word: 5\n")
    assert findings.errors_found == 0
    assert "did you mean 'max_words:'" in findings.warnings[0].message


def test_a_mapping_of_an_absent_column_is_a_fault() -> None:
    fault = only_error("objective,titel\no,t\n", columns={"title_": "title"})
    assert fault.code is ErrorCode.MISSING_COLUMN
    assert "did you mean 'titel'?" in fault.message


def test_tools_are_those_of_the_installation() -> None:
    add = Tool(name="add", description="Adds.", parameters={"type": "object"}, language=Language.PYTHON, code="1")
    (row,) = rows_of("objective,tools\no,add\n", tools=(add,))
    assert row.tools == {"add": add.digest}
    fault = only_error("objective,tools\no,ad\n", tools=(add,))
    assert (fault.column, fault.found) == ("tools", "ad")
    assert fault.message == "tools: there is no tool 'ad'; did you mean add?"
    assert "which PRISM_TOOLS names" in only_error("objective,tools\no,add\n").message
    (unchecked,) = rows_of("objective,tools\no,add\n", tools=None)
    assert unchecked.tools == {"add": ""}
