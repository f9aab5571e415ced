"""Rules on votes, written as expressions: ``sadness == 0 and neutral > others(neutral)``."""

import ast
import operator
from collections.abc import Mapping, Sequence

import numpy as np

from fergap.errors import UserError

COMPARISONS = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SUMS = {ast.Add: operator.add, ast.Sub: operator.sub}
CONNECTIVES = {ast.And: np.logical_and, ast.Or: np.logical_or}


class NotAllowedError(Exception):
    """A part of an expression that the language of rules does not have."""


class Evaluator(ast.NodeVisitor):
    """Evaluate the tree of an expression on columns of votes, refusing every other kind of node."""

    def __init__(self, votes: Mapping[str, np.ndarray], emotions: Sequence[str]):
        self.votes, self.emotions = votes, tuple(emotions)

    def generic_visit(self, node: ast.AST):
        raise NotAllowedError(f"`{ast.unparse(node)}` is not allowed")

    def truth(self, node: ast.expr) -> np.ndarray:
        value = self.visit(node)
        if np.asarray(value).dtype != bool:
            raise NotAllowedError(f"`{ast.unparse(node)}` is a number where a condition is needed")
        return value

    def number(self, node: ast.expr) -> np.ndarray:
        value = self.visit(node)
        if np.asarray(value).dtype == bool:
            raise NotAllowedError(f"`{ast.unparse(node)}` is a condition where a number is needed")
        return value

    def visit_Constant(self, node: ast.Constant) -> int:
        if type(node.value) is not int or node.value > 1_000_000:
            raise NotAllowedError(f"`{ast.unparse(node)}` is no small whole number")
        return node.value

    def visit_Name(self, node: ast.Name) -> np.ndarray:
        if node.id not in self.votes:
            raise NotAllowedError(f"`{node.id}` is no column of votes ({', '.join(self.votes)})")
        return self.votes[node.id]

    def visit_UnaryOp(self, node: ast.UnaryOp) -> np.ndarray:
        if isinstance(node.op, ast.Not):
            return np.logical_not(self.truth(node.operand))
        if isinstance(node.op, ast.USub):
            return np.negative(self.number(node.operand))
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> np.ndarray:
        if type(node.op) not in SUMS:
            return self.generic_visit(node)
        return SUMS[type(node.op)](self.number(node.left), self.number(node.right))

    def visit_BoolOp(self, node: ast.BoolOp) -> np.ndarray:
        first, *rest = (self.truth(value) for value in node.values)
        for value in rest:
            first = CONNECTIVES[type(node.op)](first, value)
        return first

    def visit_Compare(self, node: ast.Compare) -> np.ndarray:
        terms = [node.left, *node.comparators]
        out = np.True_
        for compare, left, right in zip(node.ops, terms[:-1], terms[1:], strict=True):
            if type(compare) not in COMPARISONS:
                return self.generic_visit(node)
            out = np.logical_and(out, COMPARISONS[type(compare)](self.number(left), self.number(right)))
        return out

    def visit_Call(self, node: ast.Call) -> np.ndarray:
        match node:
            case ast.Call(func=ast.Name(id="others"), args=[ast.Name(id=name)], keywords=[]):
                if name not in self.emotions:
                    listed = ", ".join(self.emotions) or "none"
                    raise NotAllowedError(f"`others({name})` needs one of the scheme's emotions ({listed})")
                rest = [self.votes[emotion] for emotion in self.emotions if emotion != name]
                if not rest:
                    raise NotAllowedError(f"`others({name})` needs further emotions in the scheme")
                return np.max(rest, axis=0)
        return self.generic_visit(node)


def evaluate(expression: str, votes: Mapping[str, np.ndarray], emotions: Sequence[str] = (), *, key: str) -> np.ndarray:
    """Return for each row whether a rule holds.

    Parameters
    ----------
    expression : str
        Columns of votes, whole numbers, ``+``, ``-``, comparisons (also chained), ``and``, ``or``, ``not``, brackets
        and ``others(x)``, the maximum of the scheme's emotions other than ``x``. Nothing else is evaluated.
    votes : mapping of str to ndarray, shape (n,)
        Whole numbers by column.
    emotions : sequence of str
        The scheme's emotions, for ``others``.
    key : str
        The expression's key in the configuration, for a message.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    UserError
        The expression has a part beyond these, or is no condition.
    """
    try:
        tree = ast.parse(str(expression).strip(), mode="eval")
        holds = Evaluator(votes, emotions).truth(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, NotAllowedError) as error:
        reason = error.args[0] if isinstance(error, NotAllowedError) else "it cannot be parsed"
        raise UserError(
            f"the rule `{expression}` is not understood: {reason}",
            where=key,
            expected="columns of votes, whole numbers, + - > >= < <= == != and or not ( ) others(column)",
            fix="correct the rule, for example `anger > 2 and anger > others(anger)`",
        ) from None
    return np.broadcast_to(holds, np.shape(next(iter(votes.values()))))
