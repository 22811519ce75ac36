"""The file of tools: what it says, and every fault with its place."""

from pathlib import Path

import pytest

from activities.tools.contracts import InvalidTools
from activities.tools.tools_file import load_tools
from catalogs.row import Language

SAMPLE = Path(__file__).parents[2] / "catalogs" / "samples" / "tools.yaml"


def test_the_sample_says_what_its_tools_take() -> None:
    calculate, count = load_tools(SAMPLE)
    assert calculate.parameters["properties"]["operation"]["enum"] == ["add", "subtract", "multiply", "divide"]
    assert count.parameters["properties"]["text"]["maxLength"] == 100000
    assert count.parameters["additionalProperties"] is False
    assert count.language is Language.SHELL
    assert load_tools(None) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tools: {}\n", "line 1: tools: Dictionary should have at least 1 item"),
        ("tools:\n  a b: {description: d, language: python, code: x}\n", "line 2: tools.a b"),
        ("tools:\n  a:\n    description: d\n    language: perl\n    code: x\n", "line 4: tools.a.language"),
        (
            "tools:\n  a:\n    description: d\n    language: shell\n    code: x\n    parameters: {type: array}\n",
            'line 6: tools.a.parameters: must be a JSON schema of an object: its "type" is "object"',
        ),
        (
            "tools:\n  a:\n    description: d\n    language: shell\n    code: x\n    parameters: x:town\n",
            "line 6: tools.a.parameters: must be fields such as",
        ),
        ("tools: [\n", "not YAML"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text(text)
    with pytest.raises(InvalidTools) as invalid:
        load_tools(path)
    assert says in invalid.value.message
