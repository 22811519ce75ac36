import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs.faults import TemplateFailed
from catalogs.prompts import composed_prompt, row_prompt
from catalogs.row import CatalogRow, Mode
from catalogs.templates import dependencies, inspect, render

ROW = CatalogRow(id="a", line=7, objective="do {it}", board="ops", labels={"k": "v"}, variables={"due": "today"})


@pytest.mark.parametrize(
    "text", ["{single} `ticks` {# no comment #}", "{'json': {'a': 1}}", "100 % {", "%} }}", "# for x\n## y", ""]
)
def test_text_without_template_syntax_is_text(text: str) -> None:
    assert render(text, ROW, {}) == text
    assert inspect(text).problems == ()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ row.objective }}", "do {it}"),
        ("{{ row.due }}, {{ due }}, {{ row.labels.k }}", "today, today, v"),
        ("{# kept #} {{ row.board }}\n", "{# kept #} ops\n"),
        ("<{{ outputs['x/y'] }}>", "<<b>&>"),
        ("{% for i in range(3) %}{{ loop.index }}{% else %}none{% endfor %}", "123"),
        ("{{ 'a' ~ 1 ~ row.board }}", "a1ops"),
        ("{{ row.board.upper() }} {{ row.title | default('x', true) }}", "OPS x"),
        ("{{ outputs['x/y'] | replace('b', 'c') | indent(2) }}", "<c>&"),
        ("{% if due is defined %}{{ 2 * 3 + 2 ** 3 }}{% endif %}", "14"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m('q') }}", "[q]"),
        ("{{ ['b', 'a'] | sort | join(', ') }}", "a, b"),
        ("{{ 'x' * 3 }}{{ {'a': 1} | tojson }}", 'xxx{"a": 1}'),
        ("{{ ['a', 'b'] | map('upper') | list | length }}", "2"),
    ],
)
def test_templates_render(template: str, text: str) -> None:
    assert inspect(template, ["due"]).problems == ()
    assert render(template, ROW, {"x/y": "<b>&"}) == text


def test_fields_of_other_rows_are_read_from_their_json() -> None:
    template = "{{ data['x'].city.name }}: {% for one in data['x'].people %}{{ one }} {% endfor %}{{ outputs.y }}"
    assert set(dependencies(template)) == {"x", "y"}
    outputs = {"x": '{"city": {"name": "Z"}, "people": [1, 2]}', "y": "text"}
    assert render(template, ROW, outputs) == "Z: 1 2 text"
    with pytest.raises(TemplateFailed, match="give that row an output_schema"):
        render(template, ROW, outputs | {"x": "text"})


def test_what_a_catalog_or_a_template_calls_data_is_its_own() -> None:
    row = ROW.model_copy(update={"variables": {"data": "mine"}})
    assert inspect("{{ data }}", ["data"]) == ((), (), ())
    assert render("{{ data }}", row, {}) == "mine"
    assert dependencies("{% set data = {'x': 1} %}{{ data.x }}") == ()


def test_dependencies_are_the_constant_ids() -> None:
    template = "{{ outputs['b/1'] }} {% if outputs.c %}{{ outputs[\"b/1\"] }}{% endif %}"
    assert set(dependencies(template)) == {"b/1", "c"}


@pytest.mark.parametrize(
    ("template", "says", "line", "column"),
    [
        ("a\n  {{ row. }}", "expected name or number", 2, 3),
        ("{{ row.id }} {{ 1 + }}", "", 1, 14),
        ("x {% if row.id %}", "endif", 1, 3),
        ("{{ row.id | nofilter }}", "No filter named 'nofilter'", 1, 1),
        ("{{ row.id | center(9) }}", "No filter named 'center'", 1, 1),
        ("{{ row.id is notest }}", "No test named", 1, 1),
        ("x\n{{ nope }}", "'nope' is not defined", 2, 4),
        ("{{ objective }}", "did you mean row.objective", 1, 4),
        ("{{ row.titel }}", "did you mean row.title", 1, 8),
        ("{{ outputs[row.id] }}", "must be followed", 1, 4),
        ("{% for o in outputs.values() %}{{ o }}{% endfor %}{{ outputs }}", "must be followed", 1, 13),
        ("{% include 'x' %}", "other templates", 1, 1),
        ("{% import 'x' as y %}", "other templates", 1, 1),
        ("{{ lipsum(1000) }}", "'lipsum' is not defined", 1, 4),
        ("{{" + "(" * 5000, "", 1, 1),
        ("{% for a in [1] %}" * 30 + "{% endfor %}" * 30, "", 1, 1),
        ("{{ x | prism_counted(1) }}", "No filter named", 1, 1),
    ],
)
def test_a_problem_has_a_position(template: str, says: str, line: int, column: int) -> None:
    problem = inspect(template).problems[0]
    assert says in problem.message
    assert (problem.line, problem.column) == (line, column)


def test_names_that_a_template_guards_may_be_missing() -> None:
    assert inspect("{{ extra | default('x') }}{% if row.more is defined %}{{ row.more }}{% endif %}").problems == ()


NESTED = (
    "{% set n = namespace(x=['a'], y=['a']) %}{% for i in range(99) %}"
    "{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}"
)


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ 9 ** 99999 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}" + "x" * 1000 + "{% endfor %}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x|replace('a','aaaa') %}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = [n.x,n.x]|join %}{% endfor %}",
        "{% set n = namespace(x=['a']) %}{% for i in range(99) %}{% set n.x = [n.x,n.x]|string %}{% endfor %}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ 'a'.replace('a', 'b') }}",
        "{{ 'a' | indent(10**9) }}",
        "{{ [1] | batch(10**9, 0) | list }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(99999) %}{% set x = range(99999) | sort %}{% endfor %}",
        NESTED + "{{ n.x }}",
        NESTED + "{{ n.x == n.y }}",
        NESTED + "{{ n.x ~ 'a' }}",
        NESTED + "{{ n.x | tojson }}",
        NESTED.replace("[", "(").replace("]", ")") + "{{ {n.x: 1} }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ row.__init__.__globals__ }}",
        "{{ (1).bit_length() }}",
        "{{ row.labels.update({'x': 1}) }}",
        "{{ row.nothing }}",
        "{{ 1 / 0 }}",
        "{{ outputs['missing'] }}",
        "{{ [] | first }}",
    ],
)
def test_a_template_cannot_take_the_machine_nor_leave_its_sandbox(bomb: str) -> None:
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(TemplateFailed):
            render(bomb, ROW, {})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 20
    assert peak < 128 * 1024 * 1024


def test_a_prompt_has_a_largest_size() -> None:
    with pytest.raises(TemplateFailed, match="longer than 1048576"):
        render("{% for i in range(2000) %}" + "x" * 600 + "{% endfor %}", ROW, {})


@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "row", ".", "outputs", "['a']", "for", "in", "|", "'", "1", "+", " "])
    ).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_any_template_is_inspected_and_rendered_or_refused(template: str) -> None:
    inspection = inspect(template)
    try:
        render(template, ROW, {"a": "x"})
    except TemplateFailed:
        return
    assert all(problem.line == 1 for problem in inspection.problems)


def test_the_composed_prompt_reads_like_a_brief() -> None:
    row = CatalogRow(
        id="a", line=2, title="T", objective="Do {{ it }}", stack="S", workflow=("x", "y"), verification=("short",)
    )
    assert composed_prompt(row, {"up": "said\n```code```"}) == (
        "# T\n\nDo {{ it }}\n\nStack: S\n\nFollow these steps in order:\n1. x\n2. y\n\n"
        "The answer is accepted if all of this holds:\n- short\n\nResult of up:\n````\nsaid\n```code```\n````"
    )
    stepwise = row.model_copy(update={"mode": Mode.STEPWISE})
    assert "The steps of the whole task:" in composed_prompt(stepwise, {})


def test_a_literal_prompt_is_taken_as_it_is() -> None:
    row = CatalogRow(id="a", line=2, objective="o", prompt="{{ x }} {% y", literal=True)
    assert row_prompt(row, {}) == "{{ x }} {% y"
