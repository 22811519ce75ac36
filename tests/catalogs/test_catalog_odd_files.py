import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs.compiler import compile_catalog
from catalogs.faults import Findings, InvalidCatalog
from catalogs.options import ReadOptions
from catalogs.reader import CatalogReader
from catalogs.row import CatalogRow


def read(data: bytes | str, max_cell_chars: int = 1024 * 1024) -> tuple[list[CatalogRow], Findings]:
    findings = Findings()
    source = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return list(CatalogReader(source, ReadOptions(max_cell_chars=max_cell_chars), findings)), findings


def test_many_undecodable_bytes_are_counted() -> None:
    _, findings = read(b"objective\n" + b"\xff\n" * 3000)
    assert findings.errors_found == 3000
    assert len(findings.errors) == 100


CSV_BYTES = st.lists(
    st.sampled_from(
        [
            *(b"objective", b"id", b"prompt", b"depends_on", b"regex:", b"sep=", b"outputs[", b"'a'", b" ", b"a"),
            *(b",", b";", b"\t", b'"', b"\n", b"\r\n", b"\r", b"#", b"\0", b"\xff", b"\xc3", b"\xff\xfe"),
            *(b"{{", b"}}", b"{%", b"%}"),
        ]
    ),
    max_size=60,
).map(b"".join)


@given(st.one_of(st.binary(max_size=400), CSV_BYTES, CSV_BYTES.map(lambda data: b"id,objective,prompt\n" + data)))
@settings(max_examples=400, deadline=None)
def test_no_bytes_make_the_reader_crash(data: bytes) -> None:
    rows, findings = read(data, max_cell_chars=50)
    assert rows or findings.errors_found
    assert len({row.id for row in rows}) == len(rows)
    assert all(row.objective.strip() for row in rows)


CELL = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=30)


@given(
    st.lists(CELL.filter(str.strip), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(max_examples=200, deadline=None)
def test_quoted_cells_come_back_as_they_were(cells: list[str], delimiter: str, end: str) -> None:
    quoted = ['"' + cell.replace('"', '""').replace("\n", end) + '"' for cell in cells]
    data = end.join([delimiter.join(("id", "objective")), *(f"r{n}{delimiter}{cell}" for n, cell in enumerate(quoted))])
    rows, findings = read(data)
    assert findings.errors == ()
    assert [row.objective for row in rows] == [cell.strip() for cell in cells]
    line = 2
    for row, cell in zip(rows, cells, strict=True):
        assert row.line == line
        line += 1 + cell.count("\n")


@pytest.mark.parametrize(
    "data",
    [
        "objective" + ",x" * 100_000 + "\n",
        "objective," + ",".join(f"c{n}" for n in range(50_000)) + "\no\n",
        'id,objective,prompt\na,o,"' + " ".join(f"{{{{ n{n} }}}}" for n in range(5_000)) + '"\n',
        'id,objective,prompt\na,o,"' + "{{ row.id }}" * 10_000 + '{{ ( }}"\n',
        'id,objective,verification\na,o,"' + '""x;' * 50_000 + '"\n',
        'id,objective,depends_on\na,o,"' + " ".join(f"d{n}" for n in range(50_000)) + '"\n',
        b"objective\n" + b"\xff" * 200_000,
        "objective\n" + '"' * 200_001,
    ],
    ids=["equal names", "many columns", "many names", "many tags", "many quotes", "many ids", "bad bytes", "quotes"],
)
def test_odd_files_are_read_in_reasonable_time(data: bytes | str) -> None:
    started = time.monotonic()
    read(data)
    assert time.monotonic() - started < 10


@given(CSV_BYTES.map(lambda data: b"id,objective,depends_on,prompt\n" + data), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_compile_or_are_refused(data: bytes, skip: bool) -> None:
    try:
        compiled = compile_catalog(io.BytesIO(data), "t", lambda _: "digest", ReadOptions(skip_invalid=skip))
    except InvalidCatalog:
        return
    assert compiled.plan.total > 0
    assert skip or not compiled.left_out_found
