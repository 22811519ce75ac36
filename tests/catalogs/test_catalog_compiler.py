import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from catalogs.compiler import CompiledCatalog, compile_catalog
from catalogs.faults import InvalidCatalog
from catalogs.options import ReadOptions
from catalogs.plan import PAGE_ROWS, Plan, PlannedRow, PlanPage
from temporal.names import ErrorCode


class Shelf(dict[str, bytes]):
    def put(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self[digest] = data
        return digest

    def rows(self, plan: Plan) -> list[PlannedRow]:
        return [row for page in plan.pages for row in PlanPage.model_validate_json(self[page]).rows]


def compiled(text: str, shelf: Shelf | None = None, **options: object) -> CompiledCatalog:
    shelf = Shelf() if shelf is None else shelf
    return compile_catalog(io.BytesIO(text.encode()), "t", shelf.put, ReadOptions.model_validate(options))


def refused(text: str, **options: object) -> InvalidCatalog:
    shelf = Shelf()
    with pytest.raises(InvalidCatalog) as caught:
        compiled(text, shelf, **options)
    assert not shelf
    return caught.value


def test_a_plan_holds_rows_after_those_they_depend_on() -> None:
    shelf = Shelf()
    text = "id,objective,depends_on,priority\na,o,b c,1\nb,o,,5\nc,o,,\nd,o,b,\n"
    result = compiled(text, shelf)
    planned = shelf.rows(result.plan)
    assert [(row.index, row.row.id, row.upstream, row.dependants) for row in planned] == [
        (0, "c", (), 1),
        (1, "b", (), 2),
        (2, "a", (0, 1), 0),
        (3, "d", (1,), 0),
    ]
    assert result.plan.source == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert Plan.model_validate_json(shelf[result.digest]) == result.plan


def test_pages_are_the_contract_byte_for_byte_and_the_same_each_time(tmp_path: Path) -> None:
    total = PAGE_ROWS * 2 + 1
    lines = [f'r{n},"ö {n}",{f"r{n - 1}" if n % 7 else ""},k=v' for n in range(total)]
    text = "id,objective,depends_on,labels\n" + "\n".join(lines)
    shelf, again = Shelf(), Shelf()
    result = compiled(text, shelf)
    file = tmp_path / "t.csv"
    file.write_text(text)
    assert compile_catalog(file, "t", again.put).digest == result.digest
    assert shelf == again
    assert [len(PlanPage.model_validate_json(shelf[page]).rows) for page in result.plan.pages] == [250, 250, 1]
    for page in result.plan.pages:
        assert PlanPage.model_validate_json(shelf[page]).model_dump_json().encode() == shelf[page]


def test_all_kinds_of_faults_come_in_file_order() -> None:
    error = refused("id,objective,depends_on,mode\na,o,b,\nb,o,a,\nc,,x,\nd,o,cc,\ne,o,c,often\ncc1,o,,\n")
    assert [(fault.line, fault.code) for fault in error.faults] == [
        (2, ErrorCode.DEPENDENCY_CYCLE),
        (4, ErrorCode.INVALID_TASK_DEFINITION),
        (4, ErrorCode.UNKNOWN_DEPENDENCY),
        (5, ErrorCode.UNKNOWN_DEPENDENCY),
        (6, ErrorCode.INVALID_VALUE),
    ]
    assert "a -> b -> a (lines 2 -> 3 -> 2)" in error.faults[0].message
    assert "row 'c' depends on 'x'" in error.faults[2].message
    assert "did you mean 'cc1'" in error.faults[3].message
    assert error.found == 5
    assert error.message.startswith("the catalog has 5 errors; the first on line 2: ")
    assert json.loads(json.dumps(error.details))["faults"][1]["code"] == "INVALID_TASK_DEFINITION"


def test_depending_on_an_invalid_row_is_no_second_fault() -> None:
    assert refused("id,objective,depends_on\na,,\nb,o,a\n").found == 1


def test_a_row_that_depends_on_itself_is_a_cycle() -> None:
    error = refused("id,objective,prompt\na,o,{{ outputs.a }}\n")
    assert "a -> a" in error.faults[0].message


def test_a_long_cycle_is_spelled_short() -> None:
    total = 1000
    lines = [f"r{n},o,r{(n + 1) % total}" for n in range(total)]
    (fault,) = refused("id,objective,depends_on\n" + "\n".join(lines)).faults
    assert len(fault.message) < 400
    assert "more" in fault.message


def test_skipping_leaves_out_invalid_rows_and_all_behind_them() -> None:
    shelf = Shelf()
    text = "id,objective,depends_on\na,,\nb,o,a\nc,o,b\nd,o,\ne,o,nix\nf,o,g\ng,o,f\nh,o,d\nd,o,\n"
    result = compiled(text, shelf, skip_invalid=True)
    assert [row.row.id for row in shelf.rows(result.plan)] == ["d", "h"]
    assert [(row.index, row.upstream, row.dependants) for row in shelf.rows(result.plan)] == [(0, (), 1), (1, (0,), 0)]
    assert result.left_out_found == 4
    assert result.rows_left_out == 7
    messages = [fault.message for fault in result.warnings if fault.code is ErrorCode.UPSTREAM_FAILED]
    assert messages == [
        "row 'b' is left out because it depends on 'a', which is left out",
        "row 'c' is left out because it depends on 'b', which is left out",
    ]


@pytest.mark.parametrize("text", ["id,objective\na,\n", "id,title\na,x\n", ""])
def test_skipping_does_not_help_when_nothing_is_left(text: str) -> None:
    assert refused(text, skip_invalid=True).found >= 1


BIG = """
import hashlib, resource, sys
from pathlib import Path
from catalogs.compiler import compile_catalog
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
largest = 0
def put(data):
    global largest
    largest = max(largest, len(data))
    return "sha256:" + hashlib.sha256(data).hexdigest()
result = compile_catalog(Path(sys.argv[1]), "big", put)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(result.plan.total, grown, largest)
"""


def test_100_000_rows_compile_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "big.csv"
    filler = "state what is known, and what is not; " * 12
    with file.open("w") as out:
        out.write("board,task,title,objective,stack,workflow,verification,depends_on\n")
        for n in range(100_000):
            needs = f"b{(n - 1) % 50}/t{n - 1}" if n % 5 else ""
            out.write(f'b{n % 50},t{n},Title {n},"{filler}",SAP,collect > report,max_words:200; is clear,{needs}\n')
    run = subprocess.run([sys.executable, "-c", BIG, str(file)], capture_output=True, text=True, check=True)
    total, grown_kib, largest = run.stdout.split()
    assert int(total) == 100_000
    assert int(grown_kib) < 100 * 1024, "the file has 55 MiB, its rows as objects several times that"
    assert int(largest) < 1024 * 1024


def test_totals_are_of_the_rows_in_the_plan_and_exact() -> None:
    text = (
        "id,board,objective,risk,review,budget_usd,depends_on\n"
        "a,ops,o,critical,none,0.1,\n"
        "b,ops,o,critical,required,0.2,\n"
        "c,,o,low,none,,\n"
        "d,ops,,critical,none,9,\n"
        "e,tax,o,critical,none,9,d\n"
    )
    totals = compiled(text, skip_invalid=True).totals
    assert (totals.rows, totals.budget_usd, totals.critical_unreviewed) == (3, 0.3, 1)
    assert totals.boards == {"": 1, "ops": 2}
