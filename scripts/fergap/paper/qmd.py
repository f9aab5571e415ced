"""Read a Quarto document: front matter, prose and Python cells, each with the line where it stands."""

import re
from dataclasses import dataclass, field

import yaml

from fergap.errors import UserError

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*(.*)$")
HEADING = re.compile(r"^(#+) .*?(?:\{([^}]*)\})?\s*$")
OPTION = re.compile(r"^#\|(.*)$")
INLINE = re.compile(r"(?<!`)`\{(\w+)\}\s+([^`]+?)\s*`(?!`)")
SHORTCODE = re.compile(r"\{\{<")
PREFIXES = ("fig", "tbl", "sec", "eq")

# option of a cell: the values that mean the same in both engines (None: any text)
OPTIONS: dict[str, tuple | None] = {
    "label": None,
    "fig-cap": None,
    "fig-alt": None,
    "tbl-cap": None,
    "echo": (False,),
    "warning": (False,),
    "include": (True, False),
    "output": (True, False, "asis"),
    "tags": None,
}


@dataclass(frozen=True)
class Text:
    """Markdown between cells; ``line`` counts as an editor does."""

    line: int
    text: str


@dataclass(frozen=True)
class Cell:
    """A Python cell; ``line`` is that of its opening fence."""

    line: int
    source: str
    options: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call the cell in a message."""
        return f"cell {self.options['label']!r}" if "label" in self.options else "the cell"


@dataclass(frozen=True)
class Document:
    """A parsed document: its front matter and its parts in order."""

    front: dict
    parts: list[Text | Cell]


def without(text: str, mark: str) -> str:
    """Return a document without the sections whose heading has the class ``mark``, such as ``{#sec-a .mark}``.

    A section ends at the next heading of its level or of a higher one. Lines that go leave empty ones, so that every
    other stays in its place.
    """
    kept, fence, deep = [], "", 0
    for line in text.splitlines():
        if found := FENCE.match(line):
            if not fence:
                fence = found[1]
            elif found[1].startswith(fence) and not found[2]:
                fence = ""
        elif not fence and (heading := HEADING.match(line)):
            level = len(heading[1])
            if not deep or level <= deep:
                deep = level if f".{mark}" in (heading[2] or "").split() else 0
        kept.append("" if deep else line)
    return "\n".join(kept) + "\n"


def mapping(text: str, where: str) -> dict:
    """Return the mapping that ``text`` holds as YAML, empty where it holds nothing."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"cannot be read as YAML ({' '.join(str(error).split())})", where=where) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{value!r} is no mapping", where=where, expected="lines of the form 'key: value'")
    return value


def split_front(text: str, where: str) -> tuple[dict, str, int]:
    """Split a document into front matter, body and the line where the body begins (from 1).

    Raises
    ------
    UserError
        The front matter is not closed or is no YAML mapping.
    """
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        return {}, text, 1
    for i, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return mapping("".join(lines[1:i]), f"{where}, front matter"), "".join(lines[i + 1 :]), i + 2
    raise UserError("the front matter is not closed", where=f"{where}, line 1", expected="a second line '---'")


def options_of(lines: list[str], where: str) -> tuple[dict, str]:
    """Split the lines of a cell into its ``#|`` options and its source."""
    count = 0
    while count < len(lines) and OPTION.match(lines[count]):
        count += 1
    options = mapping("\n".join(OPTION.match(line)[1].removeprefix(" ") for line in lines[:count]), where)
    for key, value in options.items():
        if key not in OPTIONS:
            raise UserError(f"unknown cell option {key!r}", where=where, expected="one of " + ", ".join(OPTIONS))
        allowed = OPTIONS[key]
        if allowed is not None and not any(value is a or (isinstance(a, str) and value == a) for a in allowed):
            shown = ", ".join(str(a).lower() for a in allowed)
            raise UserError(f"cell option {key}: {value!r}", where=where, expected=f"one of {shown}")
    return options, "\n".join(lines[count:])


def parse(text: str, where: str = "paper.qmd") -> Document:
    """Split a Quarto document into front matter, prose and Python cells.

    Parameters
    ----------
    text : str
        The document.
    where : str
        What to call it in a message: its path.

    Raises
    ------
    UserError
        A fence is not closed, a cell is in another language or has an unknown option, or there is a shortcode; the
        message names the line.
    """
    front, body, start = split_front(text, where)
    parts: list[Text | Cell] = []
    prose: list[str] = []
    prose_line, fence, opened, cell = start, "", 0, None

    def close_prose(line: int) -> None:
        nonlocal prose, prose_line
        if prose:
            parts.append(Text(prose_line, "\n".join(prose) + "\n"))
        prose, prose_line = [], line

    for line, content in enumerate(body.splitlines(), start):
        found = FENCE.match(content)
        if fence:
            if found and found[1].startswith(fence) and not found[2]:
                if cell is not None:
                    options, source = options_of(cell, f"{where}, line {opened}")
                    parts.append(Cell(opened, source, options))
                    cell, prose_line = None, line + 1
                else:
                    prose.append(content)
                fence = ""
            else:
                (cell if cell is not None else prose).append(content)
        elif found:
            fence, opened = found[1], line
            if found[2].startswith("{") and not re.match(r"\{[.#=]", found[2]):
                if found[2] != "{python}":
                    raise UserError(
                        f"a cell {found[2]}", where=f"{where}, line {line}", expected="{python}, options as #| lines"
                    )
                close_prose(line)
                cell = []
            else:
                prose.append(content)
        else:
            if SHORTCODE.search(content):
                raise UserError(
                    f"the shortcode {content.strip()!r}",
                    where=f"{where}, line {line}",
                    expected="plain Markdown: only Quarto knows shortcodes",
                )
            for language, _ in INLINE.findall(content):
                if language != "python":
                    raise UserError(
                        f"inline code in {language!r}", where=f"{where}, line {line}", expected="`{python} expression`"
                    )
            prose.append(content)
    if fence:
        raise UserError("the fence is not closed", where=f"{where}, line {opened}", expected=f"a line {fence}")
    close_prose(0)
    return Document(front, parts)


def without_code(text: str) -> str:
    """Blank fenced blocks, code spans, comments and math in Markdown, keeping every line break."""

    def blank(match: re.Match) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    text = re.sub(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\1[`~]*[ \t]*$", blank, text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", blank, text, flags=re.S)
    text = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", blank, text, flags=re.S)
    text = re.sub(r"(?<![\\$])\$\$.+?\$\$", blank, text, flags=re.S)
    return re.sub(r"(?<![\\$\w])\$(?=\S)[^$\n]+?(?<=\S)\$(?!\d)", blank, text)
