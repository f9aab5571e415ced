"""The one exception for what a user can mend, and what its messages are made of."""

import difflib
from collections.abc import Iterable, Sequence

LONGEST = 1000  # characters of a part of a message; a damaged file may hold a value of megabytes
MANY = 12  # names of a list that a message repeats
SHOWN = 200  # characters of a value that a message repeats


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters, and not too long."""
    text = "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else " " for c in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 4 :]}"


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return the nearest allowed spelling, upper and lower case being one; empty where none is near."""
    folded = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(word[:SHOWN].lower(), folded, n=1)
    return folded[close[0]] if close else ""


def near(word: str, allowed: Iterable[str]) -> str:
    """Return a question after the nearest allowed spelling, empty where none is near."""
    close = nearest(word, allowed)
    return f"; did you mean {close!r}?" if close else ""


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


def no_such_reference(attribute: str, group: str, groups: Sequence[str], where: str) -> UserError:
    """Return the error for a group of comparison that an attribute does not have."""
    listed = ", ".join(groups[:MANY]) + (f" and {len(groups) - MANY} more" if len(groups) > MANY else "")
    meant = nearest(group, groups) or "…"
    return UserError(
        f"{attribute} has no group {group!r}{near(group, groups)}",
        where=where,
        expected=f"one of {listed}",
        fix=f"name the group that the others are compared with: audit: {{reference: {{{attribute}: {meant}}}}}",
    )


def unknown(where: str, name: str, allowed: list[str]) -> UserError:
    """Return the error for a name that is not among those allowed."""
    return UserError(
        f"{shown(name)} is not known{near(name, allowed)}",
        where=f"config: {where}",
        expected="one of " + ", ".join(allowed),
    )
