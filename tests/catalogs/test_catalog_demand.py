"""What a catalog asks of models is known before it runs."""

import io

import pytest

from catalogs.compiler import compile_catalog
from catalogs.demand import Demand, Load
from catalogs.options import ReadOptions
from catalogs.row import Language
from catalogs.team import Agent
from catalogs.tools import TOOL_BYTES, Tool

ALWAYS = "sha256:" + "0" * 64


def demands(csv: str, *, skip_invalid: bool = False) -> tuple[Demand, ...]:
    options = ReadOptions(skip_invalid=skip_invalid)
    return compile_catalog(io.BytesIO(csv.encode()), "test", lambda _: ALWAYS, options).demands


def test_each_board_and_model_is_counted_by_itself() -> None:
    found = demands("id,board,objective,model\na,x,One,fast\nb,x,Two,fast\nc,x,Three,\nd,y,Four,fast\n")
    assert [(one.board, one.group, one.rows, one.first.calls) for one in found] == [
        ("x", "", 1, 1),
        ("x", "fast", 2, 2),
        ("y", "fast", 1, 1),
    ]


def test_prompts_quote_the_outputs_of_the_rows_they_depend_on() -> None:
    (found,) = demands("id,objective,depends_on\na,One,\nb,Two,\nc,Three,a b\n")
    assert (found.first.calls, found.first.quoted) == (3, 2)
    assert found.first.characters > len("OneTwoThree")


def test_a_stepwise_row_makes_a_call_a_step_and_each_sees_the_answers_before_it() -> None:
    (alone,) = demands("id,objective,workflow,mode\na,One,x > y > z,stepwise\n")
    assert (alone.first.calls, alone.first.quoted) == (3, 0 + 1 + 2)
    (together,) = demands("id,objective,workflow\na,One,x > y > z\n")
    assert together.first.calls == 1
    assert alone.first.characters > 3 * len("One")


@pytest.mark.parametrize(
    ("criteria", "second", "judged"), [("", 0, 0), ("max_words:9", 1, 0), ("is kind; max_words:9", 1, 1)]
)
def test_criteria_may_cost_a_second_draft_and_free_text_a_judge(criteria: str, second: int, judged: int) -> None:
    (found,) = demands(f"id,objective,verification\na,One,{criteria}\n")
    assert (found.second.calls, found.judged.calls) == (second, judged)
    assert found.second == (found.first if second else Load())


def test_calls_that_tools_may_follow_and_rows_that_the_cache_may_answer_are_counted() -> None:
    csv = "id,objective,tools,verification,cache\na,One,sum,max_words:9,use\nb,Two,,,bypass\nc,Three,,,\n"
    tool = Tool(name="sum", description="Adds", parameters={}, language=Language.PYTHON, code="print(1)")
    options = ReadOptions(tools=(tool,))
    (found,) = compile_catalog(io.BytesIO(csv.encode()), "test", lambda _: ALWAYS, options).demands
    assert (found.rows, found.first.calls, found.tooled.calls) == (3, 3, 2), "its first draft and its second"
    assert found.tooled.characters > 2 * TOOL_BYTES, "what tools take is told to the model"
    assert (found.caching, found.unsaid) == (1, 1)


def test_calls_of_agents_with_tools_of_their_own_may_be_followed_by_more() -> None:
    tool = Tool(name="sum", description="Adds", parameters={}, language=Language.PYTHON, code="print(1)")
    agents = {"a": Agent(name="a", system="Be.", tools=("sum",)), "b": Agent(name="b", system="Be.")}
    csv = "id,objective,agent,pattern\nx,One,a > b,pipeline\n"
    options = ReadOptions(tools=(tool,), agents=agents)
    (found,) = compile_catalog(io.BytesIO(csv.encode()), "test", lambda _: ALWAYS, options).demands
    assert found.tooled.calls == found.first.calls == 2, "rather too many: whose turn has tools is not told apart"


@pytest.mark.parametrize(
    ("team", "calls", "quoted"),
    [
        ("a > b > c,pipeline,", 3, 3),
        ("a; b; c,vote,", 3, 0),
        ("a; b; c,judge,", 3, 2),
        ("a; b; c,debate,3", 7, 10),
        ("a > b > c,map,", 12, 10),
    ],
)
def test_a_team_makes_a_call_a_turn_and_writes_once_more_where_a_criterion_fails(
    team: str, calls: int, quoted: int
) -> None:
    options = ReadOptions(agents={name: Agent(name=name, system="Be.", model="fast") for name in "abc"})
    csv = f"id,objective,agent,pattern,rounds,verification\nx,One,{team},max_words:9\n"
    (found,) = compile_catalog(io.BytesIO(csv.encode()), "test", lambda _: ALWAYS, options).demands
    assert (found.group, found.first.calls, found.first.quoted) == ("fast", calls, quoted)
    assert (found.second.calls, found.second.quoted) == (1, 1)


def test_rows_that_are_left_out_ask_for_nothing() -> None:
    broken = "id,objective,deadline,depends_on\na,One,,\nb,Two,soon,\nc,Three,,b\n"
    (found,) = demands(broken, skip_invalid=True)
    assert (found.rows, found.first.calls) == (1, 1)
