"""Every public name that takes what users write is used in an example of its page of the reference.

That the examples run, and print what is said, `test_site` holds; which names these are, the walk over bad input says.
What functions return, and what is called inside of a room with what it has made and checked, needs none of its own.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.bad_input import walk

ELSEWHERE = ("adapters.axelrod.", "adapters.pygambit.", "adapters.quantecon.")  # where peers are installed: tests/peers
PAGES = sorted((Path(__file__).parents[1] / "docs" / "reference").glob("*.md"))


def used(text: str) -> set[str]:
    """Return the names that a page's examples call or refer to."""
    nodes = [
        node
        for block in re.findall(r"^```python[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        for node in ast.walk(ast.parse(block))
    ]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)} | {
        node.id for node in nodes if isinstance(node, ast.Name)
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")  # of what other packages write
def test_every_name_that_takes_what_users_write_has_an_example_on_its_page() -> None:
    texts = {
        module: page.read_text()
        for page in PAGES
        for module in re.findall(r"^::: ipd_theory\.([\w.]+)$", page.read_text(), re.MULTILINE)
    }
    asked = [name for name in walk.doors() if not name.startswith(ELSEWHERE)]
    owed = [name for name in asked if name.rpartition(".")[2] not in used(texts[name.rpartition(".")[0]])]
    assert not owed
