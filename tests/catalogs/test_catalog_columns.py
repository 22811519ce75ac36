import io
from pathlib import Path

import pytest

import catalogs
from catalogs.columns import BY_NAME, COLUMNS, columns_markdown, near_misses, normalised
from catalogs.compiler import CompiledCatalog, compile_catalog
from catalogs.criteria import Form, parse_criterion
from catalogs.criteria_list import split_criteria
from catalogs.options import ReadOptions
from catalogs.row import CatalogRow, Language, Mode, Review

SAMPLES = Path(catalogs.__file__).parent / "samples"


def test_the_table_names_each_field_of_a_row_once() -> None:
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names)) == 43
    assert set(CatalogRow.model_fields) == set(names) | {"line", "literal", "variables", "team", "team_tools"}


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_each_example_parses_into_its_field(column: object) -> None:
    known = BY_NAME[column.name]  # type: ignore[attr-defined]
    row = CatalogRow.model_validate({"id": "a", "line": 1, "objective": "o", known.name: known.parse(known.example)})
    assert getattr(row, known.name)


def test_the_markdown_table_has_a_line_a_column() -> None:
    lines = columns_markdown().splitlines()
    assert len(lines) == len(COLUMNS) + 2
    assert (
        lines[5] == "| `objective` | text | **required** | `State the week's cash position` | What is to be achieved. |"
    )


@pytest.mark.parametrize(("written", "name"), [(" Depends On ", "depends_on"), ("budget-USD", "budget_usd")])
def test_headers_are_normalised(written: str, name: str) -> None:
    assert normalised(written) == name


def test_near_misses() -> None:
    assert near_misses("objectve")[0] == "objective"
    assert near_misses("zzz") == ()


def sample(name: str, **options: object) -> tuple[CompiledCatalog, list[bytes]]:
    stored: list[bytes] = []

    def put(data: bytes) -> str:
        stored.append(data)
        return "sha256:" + "0" * 64

    source = io.BytesIO((SAMPLES / name).read_bytes())
    return compile_catalog(source, name, put, ReadOptions.model_validate(options)), stored


def test_the_real_sample_needs_no_flag() -> None:
    result, _ = sample("prism.csv")
    assert (result.plan.total, result.warnings) == (8, ())


def test_the_demo_shows_each_kind_of_row_and_waits_for_nobody() -> None:
    result, stored = sample("demo.csv")
    rows = [planned["row"] for planned in __import__("json").loads(stored[0])["rows"]]
    parsed = [CatalogRow.model_validate(row) for row in rows]
    assert (result.plan.total, result.warnings) == (10, ())
    assert {row.mode for row in parsed} == set(Mode)
    assert Language.PYTHON in {row.language for row in parsed}
    assert any(row.depends_on for row in parsed)
    assert all(row.review is Review.NONE for row in parsed)
    assert all(parse_criterion(text).form is not Form.FREE_TEXT for row in parsed for text in row.verification)


def test_the_prompts_sample_needs_its_mapping() -> None:
    result, _ = sample("prompts.csv", columns={"act": "title", "prompt": "objective"})
    assert (result.plan.total, result.warnings) == (4, ())


def test_criteria_of_a_cell_keep_their_order() -> None:
    assert split_criteria("b; a") == ("b", "a")
