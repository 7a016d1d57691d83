"""Text for terminals and files that know only ASCII: γ is written gamma, ± is +-, and nothing fails."""

import codecs
import sys
import unicodedata

WRITTEN = {
    "∂": "d",
    "∇": "grad ",
    "√": "sqrt",
    "∞": "inf",
    "‖": "||",
    "±": "+-",
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "—": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "…": "...",
    "“": '"',
    "”": '"',
    "’": "'",
    "│": "|",
    "─": "-",
    "█": "#",
}


def ascii_for(character: str) -> str:
    """Return how a character is written in ASCII: as the table says, a Greek letter by name, others without accents."""
    if character in WRITTEN:
        return WRITTEN[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        letter = name.split(" WITH ")[0].split()[-1]
        return letter.lower() if "SMALL" in name else letter.capitalize()
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare if bare or unicodedata.combining(character) else "?"


def _write(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(ascii_for, error.object[error.start : error.end])), error.end


def allow() -> None:
    """Let standard output and error write every character, as ASCII where their encoding lacks it."""
    codecs.register_error("ipd_theory.plain_text", _write)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="ipd_theory.plain_text")
