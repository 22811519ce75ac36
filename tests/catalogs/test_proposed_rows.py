"""Rows that a row proposes are read as a catalog is, and may do nothing that the row could not that plans them."""

import io
import json

import pytest

from catalogs.compiler import compile_catalog
from catalogs.faults import Fault, InvalidCatalog
from catalogs.growth import Growth, RunRows
from catalogs.options import ReadOptions
from catalogs.plan import MAX_ADDED, Plan, PlannedRow, PlanPage, Proposal
from catalogs.proposal import read_proposal
from catalogs.row import CatalogRow, Language, Risk
from catalogs.team import Agent
from catalogs.tools import Tool

PLANNER = Agent(name="planner", system="You plan work.")
OPTIONS = ReadOptions(agents={"planner": PLANNER})
HEAD = "id,objective,agent,pattern,depends_on"


def compiled(text: str) -> tuple[Plan, dict[str, bytes], dict[str, CatalogRow]]:
    kept: dict[str, bytes] = {}

    def put(data: bytes) -> str:
        kept[f"sha256:{len(kept):064x}"] = data
        return f"sha256:{len(kept) - 1:064x}"

    plan = compile_catalog(io.BytesIO(text.encode()), "test", put, OPTIONS).plan
    pages = [PlanPage.model_validate_json(kept[digest]) for digest in plan.pages]
    return plan, kept, {one.row.id: one.row for page in pages for one in page.rows}


def planner(**cells: str) -> CatalogRow:
    names, texts = ",".join(cells), ",".join(f'"{text}"' for text in cells.values())
    text = (
        f"id,objective,agent,pattern{',' + names if cells else ''}\np,Plan,planner,plan{',' + texts if cells else ''}\n"
    )
    return compiled(text)[2]["p"]


RUN = RunRows(ids={"a": 0, "p": 1, "z": 2}, planner=1, upstream={2: (1,)})


def proposed(*rows: dict[str, str], by: CatalogRow | None = None, run: RunRows = RUN) -> Proposal:
    document = json.dumps({"rows": [{"objective": "Do it", **row} for row in rows]})
    return read_proposal(document, by or planner(), run, OPTIONS)


def faults(*rows: dict[str, str], by: CatalogRow | None = None, run: RunRows = RUN) -> list[Fault]:
    with pytest.raises(InvalidCatalog) as refused:
        proposed(*rows, by=by, run=run)
    return list(refused.value.faults)


def test_rows_come_in_an_order_in_which_they_can_run_and_may_wait_for_rows_of_the_run() -> None:
    found = proposed({"id": "two", "depends_on": "one"}, {"id": "one", "depends_on": "a"})
    assert [row.id for row in found.rows] == ["one", "two"]
    assert found.by == "p"


def test_what_a_row_does_not_say_it_has_from_the_one_that_plans_it() -> None:
    by = planner(board="ops", risk="high", reviewers="ana", budget_usd="2", labels="team=x", data_class="internal")
    (row,) = proposed({"id": "one"}, by=by).rows
    assert (row.board, row.risk, row.reviewers, row.budget_usd) == ("ops", Risk.HIGH, ("ana",), 2)
    assert (row.labels, row.data_class) == ({"team": "x"}, "internal")


def test_every_fault_is_told_at_once() -> None:
    found = faults(
        {"id": "a"},
        {"id": "b"},
        {"id": "b"},
        {"id": ""},
        {"id": "c", "depends_on": "nowhere"},
        {"id": "d", "risk": "huge"},
        {"id": "e", "depends_on": "f"},
        {"id": "f", "depends_on": "e"},
        {"id": "g", "depends_on": "z"},
    )
    told = {(fault.code.value, fault.row) for fault in found}
    assert told == {
        ("DUPLICATE_ID", "a"),
        ("DUPLICATE_ID", "b"),
        ("INVALID_ID", ""),
        ("UNKNOWN_DEPENDENCY", "c"),
        ("INVALID_VALUE", "d"),
        ("DEPENDENCY_CYCLE", "e"),
        ("DEPENDENCY_CYCLE", "g"),
    }
    assert all(fault.line is None for fault in found)


@pytest.mark.parametrize(
    ("cells", "raised"),
    [
        ({"board": "ops"}, {"board": "treasury"}),
        ({"risk": "high"}, {"risk": "medium"}),
        ({"data_class": "restricted"}, {"data_class": "public"}),
        ({"review": "required"}, {"review": "none"}),
        ({"reviewers": "ana; ben"}, {"reviewers": "ana; eve"}),
        ({"reviewers": "ana; ben", "quorum": "2"}, {"quorum": "1"}),
        ({}, {"on_deadline": "approve", "deadline": "1h", "review": "required"}),
        ({"reviewers": "ana"}, {"escalate": "eve", "deadline": "1h"}),
        ({"scan": "code"}, {"scan": "secrets"}),
        ({"labels": "team=x"}, {"labels": "team=y"}),
        ({}, {"notify": "mailto://eve@example.org"}),
        ({}, {"secrets": "KEY=secret://catalogs/db#password", "code": "print(1)", "language": "python"}),
        ({"priority": "3"}, {"priority": "1"}),
        ({"budget_usd": "1"}, {"budget_usd": "1.5"}),
        ({"plan_rows": "3"}, {"plan_rows": "4", "pattern": "plan", "agent": "planner"}),
    ],
    ids=lambda cells: next(iter(cells), "nothing"),
)
def test_no_row_may_do_more_than_the_one_that_plans_it(cells: dict[str, str], raised: dict[str, str]) -> None:
    found = faults({"id": "one", **raised}, by=planner(**cells))
    assert [fault.code.value for fault in found] == ["PRIVILEGE_RAISED"]
    assert found[0].column in raised
    assert "row 'p', which plans it" in found[0].message


def test_there_are_no_more_rows_than_allowed_in_a_plan_and_in_a_run() -> None:
    rows = [{"id": f"r{number}"} for number in range(3)]
    assert "allows 2" in faults(*rows, by=planner(plan_rows="2"))[0].message
    crowded = RunRows(ids={"p": 0}, planner=0, added=MAX_ADDED - 2)
    assert "room for 2" in faults(*rows, run=crowded)[0].message


def test_a_planned_row_may_plan_and_what_it_plans_may_not() -> None:
    again: dict[str, str] = {"id": "again", "pattern": "plan", "agent": "planner"}
    assert proposed(again).rows[0].team == (PLANNER,)
    assert faults(again, run=RunRows(ids={"p": 0}, planner=0, depth=1))[0].column == "pattern"


@pytest.mark.parametrize("cells", ["output_schema=city:text", "mode=stepwise", "form=note:text", "on_deadline=approve"])
def test_a_row_that_plans_answers_rows_and_a_person_approves_them(cells: str) -> None:
    column, _, text = cells.partition("=")
    catalog = f"id,objective,agent,pattern,review,workflow,{column}\np,Plan,planner,plan,required,a > b,{text}\n"
    with pytest.raises(InvalidCatalog) as refused:
        compiled(catalog)
    assert column in {fault.column for fault in refused.value.faults}


def test_a_plan_grows_at_its_end_and_who_waits_for_the_planner_waits_for_its_rows() -> None:
    lines = "".join(f"r{number},Do,,,\n" for number in range(250))
    plan, kept, rows = compiled(f"{HEAD}\np,Plan,planner,plan,\nz,End,,,p\n{lines}")
    pages = [PlanPage.model_validate_json(kept[digest]) for digest in plan.pages]
    ids = {one.row.id: one.index for page in pages for one in page.rows}
    upstream = {one.index: one.upstream for page in pages for one in page.rows if one.upstream}
    run = RunRows(ids, ids["p"], upstream)
    proposal = proposed({"id": "x", "depends_on": "r7"}, {"id": "y", "depends_on": "x; p"}, by=rows["p"], run=run)
    growth = Growth(plan, proposal, run)
    grown = dict(enumerate(pages)) | {n: growth.rewritten(n, pages[n]) for n in growth.pages()}
    found: list[PlannedRow] = [one for n in sorted(grown) for one in grown[n].rows]
    found += [one for page in growth.new_pages() for one in page.rows]
    assert [one.index for one in found] == list(range(254))
    by = {one.row.id: one for one in found}
    assert by["x"].upstream == tuple(sorted((ids["p"], ids["r7"])))
    assert by["z"].upstream == (ids["p"], 252, 253)
    assert (by["x"].dependants, by["y"].dependants, by["p"].dependants, by["r7"].dependants) == (2, 1, 3, 1)


def test_a_plan_that_never_grew_is_stored_in_the_bytes_that_it_had() -> None:
    plan = Plan(title="t", source="s", total=0, pages=())
    assert json.loads(plan.document) == {"title": "t", "source": "s", "total": 0, "pages": [], "page_rows": 250}


def test_no_planned_row_has_an_agent_whose_tools_the_one_that_plans_it_may_not_call() -> None:
    add = Tool(name="add", description="Adds.", parameters={}, language=Language.PYTHON, code="1")
    clerk = Agent(name="clerk", system="Count.", tools=("add",))
    options = ReadOptions(agents={"clerk": clerk}, tools=(add,))
    document = json.dumps({"rows": [{"id": "one", "objective": "Count", "agent": "clerk"}]})
    with pytest.raises(InvalidCatalog) as refused:
        read_proposal(document, planner(), RUN, options)
    (fault,) = refused.value.faults
    assert (fault.code.value, fault.column, fault.found) == ("PRIVILEGE_RAISED", "tools", "add")
    allowed = planner().model_copy(update={"tools": {"add": add.digest}})
    assert read_proposal(document, allowed, RUN, options).rows[0].team_tools == {"clerk": {"add": add.digest}}
