"""The one exception for what a user can mend, and what its messages are made of."""

import difflib
from collections.abc import Iterable

LONGEST = 1000  # characters of a part of a message; a damaged file may hold a value of megabytes
SHOWN = 200  # characters of a value that a message repeats


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters, and not too long."""
    text = "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else " " for c in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 4 :]}"


def near(word: str, allowed: Iterable[str]) -> str:
    """Return a question after the nearest allowed spelling, empty where none is near."""
    close = difflib.get_close_matches(word[:SHOWN], allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """Return a value as a message repeats it, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + " …"


class UserError(Exception):
    """A mistake in the user's input, told in one message.

    Parameters
    ----------
    problem : str
        What is wrong, with the value that was found.
    where : str, optional
        File, row (counted as in an editor, the header being line 1) or configuration key.
    expected : str, optional
        What would have been right.
    fix : str, optional
        How to go on.
    """

    def __init__(self, problem: str, *, where: str = "", expected: str = "", fix: str = ""):
        problem, where, expected, fix = (one_line(part) for part in (problem, where, expected, fix))
        self.problem, self.where, self.expected, self.fix = problem, where, expected, fix
        lines = [f"{where}: {problem}" if where else problem]
        if expected:
            lines.append(f"  expected: {expected}")
        if fix:
            lines.append(f"  to go on: {fix}")
        super().__init__("\n".join(lines))


def unknown(where: str, name: str, allowed: list[str]) -> UserError:
    """Return the error for a name that is not among those allowed."""
    return UserError(
        f"{shown(name)} is not known{near(name, allowed)}",
        where=f"config: {where}",
        expected="one of " + ", ".join(allowed),
    )
