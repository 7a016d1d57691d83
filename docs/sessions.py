"""The plan of a term, from what the course's notebooks say of themselves."""

import re
from pathlib import Path
from typing import NamedTuple

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


class Session(NamedTuple):
    """What a notebook says of itself: title, goals, what it needs, minutes to read and for exercises, the scene to play
    first, and its exercises without their solutions."""

    title: str
    goals: str
    needs: str
    reading: int
    exercising: int
    play: str
    exercises: list[str]


def session(notebook: nbformat.NotebookNode) -> Session:
    """Return what a notebook says of itself, as Markdown of a page beside it."""
    texts = [linked_to_pages(cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    head = " ".join(texts[0].split())
    found = re.search(r"\*Goals:\* (.+?)\.? \*Needs:\* (.+?)\.? \*Reading:\* (\d+) minutes; exercises (\d+)\.", head)
    play = re.search(r"\*Play first\*, in the explorer: (.+?\?)(?: |$)(?!\S*=)", head)
    assert found, f"{head[:60]} … does not say goals, needs and minutes"
    assert play, f"{head[:60]} … does not say what to play first"
    title = texts[0].split("\n")[0].removeprefix("# ")
    exercises = [text[text.index("**Exercise") :] for text in texts if "**Exercise" in text]
    return Session(title, found[1], found[2], int(found[3]), int(found[4]), play[1], exercises)


def plan() -> str:
    """Return the plan of a term, session by session, from what the notebooks say."""
    parts = []
    for number, path in enumerate(sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), 1):
        one = session(nbformat.read(path, as_version=4))
        parts.append(
            f"## {number}. [{one.title}]({path.stem}.md)\n\n"
            f"**Goals:** {one.goals}.\n\n**Needs:** {one.needs}.\n\n"
            f"**Minutes:** 10 to play and predict, {one.reading} to derive and compute, {one.exercising} for "
            "exercises.\n\n"
            f"**Play first:** {one.play}\n\n" + "\n\n".join(one.exercises)
        )
    return "\n\n".join(parts)


def linked_to_pages(text: str) -> str:
    """Return a notebook's Markdown with links as a page beside the others has them."""
    return re.sub(r"\]\((\d\d_\w+)\.ipynb", r"](\1.md", text.replace("](../ipd_theory/explorer/", "](../explorer/"))
