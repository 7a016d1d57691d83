"""What the site takes from the rest of the repository: notebooks as pages, the explorer, the plan of a term; formulas.

Formulas become MathML while the site is built, so that a page needs no script and no network to show them.
"""

import base64
import html
import re
from pathlib import Path
from typing import Any

import latex2mathml.converter
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from sessions import linked_to_pages, plan

ROOT = Path(__file__).parents[1]
PLAN = "<!-- the sessions -->"
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


@event_priority(100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the executed notebooks as `course/NN_name.md` with their pictures, and the explorer as it is."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text, images = page(nbformat.read(path, as_version=4), path.stem)
        files.append(File.generated(config, f"course/{path.stem}.md", content=text))
        for name, image in images.items():
            files.append(File.generated(config, f"course/{name}", content=image))
    for path in sorted((ROOT / "ipd_theory" / "explorer").glob("*.*")):
        if path.suffix != ".py":
            files.append(File.generated(config, f"explorer/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the plan of a term where a page asks for it."""
    return markdown.replace(PLAN, plan()) if PLAN in markdown else markdown


def on_page_content(content: str, **_: Any) -> str:
    """Write each formula as MathML."""
    return FORMULA.sub(lambda found: mathml(html.unescape(found[3]), found[2] == "["), content)


def mathml(formula: str, display: bool) -> str:
    """Return a formula in LaTeX as MathML."""
    return latex2mathml.converter.convert(formula.strip(), display="block" if display else "inline")


def page(notebook: nbformat.NotebookNode, name: str) -> tuple[str, dict[str, bytes]]:
    """Return an executed notebook as Markdown, solutions folded, and its pictures by file name."""
    parts: list[str] = []
    images: dict[str, bytes] = {}
    for cell in notebook.cells:
        text = cell.source if cell.cell_type == "markdown" else fenced(cell.source, "python")
        for output in cell.get("outputs", []):
            text += "\n\n" + shown(output, name, images)
        text = linked_to_pages(text)
        parts.append(folded(text) if "solution" in cell.metadata.get("tags", []) else text)
    return "\n\n".join(parts), images


def shown(output: nbformat.NotebookNode, name: str, images: dict[str, bytes]) -> str:
    """Return a cell's output as Markdown; a picture is put beside the page."""
    data = output.get("data", {})
    if "image/png" in data:
        file = f"{name}-{len(images) + 1}.png"
        images[file] = base64.b64decode(data["image/png"])
        return f"![{output.metadata.get('image/png', {}).get('alt', '')}]({file})"
    if "text/latex" in data:
        return "$$\n" + data["text/latex"].strip().removeprefix("$\\displaystyle").strip("$ \n") + "\n$$"
    if "text/html" in data:
        return data["text/html"]
    text = output.get("text") or data.get("text/plain", "")
    return fenced(text.rstrip("\n"), "text")


def fenced(text: str, language: str) -> str:
    """Return a block of code."""
    return f"```{language}\n{text}\n```"


def folded(text: str) -> str:
    """Return a block that opens on a click."""
    return '??? success "Solution"\n\n' + "\n".join("    " + line if line else "" for line in text.split("\n"))
