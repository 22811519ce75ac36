"""Agents and collections that a row names are looked up when the catalog is read, and every fault is told."""

import io
import itertools

import pytest

from catalogs.compiler import compile_catalog
from catalogs.faults import Fault, InvalidCatalog
from catalogs.options import ReadOptions
from catalogs.plan import PlanPage
from catalogs.row import CatalogRow, Language
from catalogs.team import Agent
from catalogs.team_answers import items_of, picked, tally
from catalogs.tools import Tool
from catalogs.window import fitted

AGENTS = {name: Agent(name=name, system=f"You are {name}.") for name in ("writer", "critic", "editor")}
HEAD = "id,objective,agent,pattern,rounds,mode,knowledge,workflow\n"


def rows(csv: str) -> list[CatalogRow]:
    stored: list[bytes] = []
    count = itertools.count()

    def put(data: bytes) -> str:
        stored.append(data)
        return f"sha256:{next(count):064}"

    options = ReadOptions(agents=AGENTS, knowledge=("handbook",))
    compile_catalog(io.BytesIO((HEAD + csv).encode()), "test", put, options)
    return [planned.row for planned in PlanPage.model_validate_json(stored[0]).rows]


def faults(csv: str) -> list[Fault]:
    with pytest.raises(InvalidCatalog) as refused:
        rows(csv)
    return list(refused.value.faults)


def test_a_row_holds_the_definitions_of_its_agents_and_a_role_in_words_stays_one() -> None:
    alone, team, role = rows(
        "a,One,critic,,,,,\nb,Two,writer > critic > editor,pipeline,,,handbook,\nc,Three,Senior writer; treasury,,,,,\n"
    )
    assert alone.team == (AGENTS["critic"],)
    assert [agent.name for agent in team.team] == ["writer", "critic", "editor"]
    assert (role.team, role.agent) == ((), "Senior writer; treasury")


def test_everything_that_is_wrong_with_a_team_is_told_at_once() -> None:
    found = faults(
        "a,One,writer > critc,pipeline,,,,\n"
        "b,Two,writer,vote,,,,\n"
        "c,Three,writer > editor,map,,,,\n"
        "d,Four,writer > editor,pipeline,,stepwise,handbok,x > y\n"
    )
    assert [(fault.row, fault.column) for fault in found] == [
        ("a", "agent"),
        ("b", "agent"),
        ("c", "pattern"),
        ("d", "mode"),
        ("d", "knowledge"),
    ]
    messages = [fault.message for fault in found]
    assert "there is no agent 'critc'; did you mean critic?" in messages[0]
    assert "found 1 in 'writer', pattern vote takes 2 to 8 agents" in messages[1]
    assert "it depends on none" in messages[2]
    assert "did you mean handbook?" in messages[4]


def test_lists_are_read_whatever_their_bullets() -> None:
    assert items_of(["# Parts\n1. one\n2) two\n- three\n\n* one\n"]) == ("one", "two", "three")


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("BEST: 2", 1),
        ("I compared 1 and 2.\n**BEST: 1**", 0),
        ("3", 2),
        ("BEST: 4", None),
        ("1 or 2", None),
        ("none", None),
    ],
)
def test_a_judge_names_one_answer_or_none(answer: str, chosen: int | None) -> None:
    assert picked(answer, 3) == chosen


def test_a_majority_is_more_than_half() -> None:
    assert tally(["No", "yes.", " YES "]) == (1, 2)
    assert tally(["a", "b"]) == (None, 1)
    assert tally(["a", "a", "b", "b"]) == (None, 2)


def test_what_is_least_needed_is_cut_first_and_all_that_was_cut_is_told() -> None:
    parts = {"answer": "a" * 900, "output": "b" * 900, "passage": "c" * 900}
    text, dropped = fitted(parts, 1_400, lambda left: "task " + " ".join(left.values()))
    assert len(text.encode()) <= 1_400
    assert "a" * 900 in text
    assert text.startswith("task ")
    cut, left_out = dropped
    assert (cut.part, cut.whole) == ("output", False)
    assert text.count("b") == 900 - cut.characters
    assert (left_out.part, left_out.characters, left_out.whole) == ("passage", 900, True)
    assert f"[… {cut.characters} characters left out]" in text


def test_what_fits_is_left_alone_and_the_task_is_never_cut() -> None:
    assert fitted({"a": "x"}, 100, lambda left: left["a"]) == ("x", ())
    text, dropped = fitted({"a": "x" * 500}, 10, lambda left: "a long task" + left["a"])
    assert text == "a long task"
    assert dropped[0].whole


def test_where_nobody_knows_which_agents_there_are_names_are_left_to_whoever_runs_the_catalog() -> None:
    options = ReadOptions(agents=None, knowledge=None)
    csv = "id,objective,agent,pattern,knowledge,verification\na,One,mine > yours,pipeline,books,max_words:9\n"
    compiled = compile_catalog(io.BytesIO(csv.encode()), "test", lambda _: f"sha256:{0:064}", options)
    assert compiled.plan.total == 1


ADDING = Tool(name="add", description="Adds.", parameters={}, language=Language.PYTHON, code="1")
CLERK = Agent(name="clerk", system="Count.", tools=("add", "gone"))


def test_tools_that_no_agent_may_call_are_told_and_so_are_those_that_are_not_there() -> None:
    options = ReadOptions(agents=AGENTS | {"clerk": CLERK}, tools=(ADDING,))
    csv = (
        "id,objective,agent,pattern,tools\na,One,writer > critic,pipeline,add\nb,Two,clerk,,\n"
        "c,Three,writer > clerk,pipeline,add\nd,Four,writer,,add\n"
    )
    with pytest.raises(InvalidCatalog) as refused:
        compile_catalog(io.BytesIO(csv.encode()), "test", lambda data: "", options)
    told = [(fault.row, fault.column, fault.message) for fault in refused.value.faults]
    assert told[0] == ("a", "tools", "tools: no agent of this row (writer, critic) may call 'add'")
    assert [one[:2] for one in told[1:]] == [("b", "agent"), ("c", "agent")]
    assert "clerk calls tool 'gone', and there is no such tool" in told[1][2]
