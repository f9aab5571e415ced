"""The one exception for what a user can mend."""


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
        self.problem, self.where, self.expected, self.fix = problem, where, expected, fix
        lines = [f"{where}: {problem}" if where else problem]
        if expected:
            lines.append(f"  expected: {expected}")
        if fix:
            lines.append(f"  to go on: {fix}")
        super().__init__("\n".join(lines))
