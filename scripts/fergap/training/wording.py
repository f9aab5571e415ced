"""The class that an answer in words names."""

import re
from collections.abc import Mapping, Sequence

from fergap.faces.vocabulary import NAMES, unified

ANSWERED, REFUSED, SEVERAL, NONE = "answered", "refused", "several classes", "no class"
BROKEN = "unreadable"
STATUSES = (ANSWERED, REFUSED, SEVERAL, NONE, BROKEN)
"""What became of a question: ``unreadable`` is a response that is none of the protocol, however often it was asked."""
DENIED = re.compile(r"\b(?:not|no|neither|nor|never|without|cannot|unable|sorry)\b|n['’]t\b")


def words_of(classes: Sequence[str], synonyms: Mapping[str, str]) -> dict[str, str]:
    """Return which class each word stands for, in lower case.

    A class itself, the words of :mod:`fergap.faces.vocabulary` for the expression that it is, and the study's own
    ``synonyms``, which go before these.
    """
    own = {unified(label): label for label in classes}
    found = {word: own[name] for word, name in NAMES.items() if name in own}
    found |= {label.replace("_", " "): label for label in classes} | {label: label for label in classes}
    return {word.casefold(): label for word, label in (found | dict(synonyms)).items()}


def named(text: str, words: Mapping[str, str]) -> tuple[str, str | None]:
    """Return what an answer in words says.

    Parameters
    ----------
    text : str
        Such as ``Happy.`` or ``The expression is **sad**``.
    words : mapping
        From :func:`words_of`.

    Returns
    -------
    tuple
        One of :data:`STATUSES`, and the class where it is ``answered``: the only one that the text names as whole
        words, in a text that denies nothing. ("not happy, not sad" and "I cannot tell whether she is happy" name none.)
    """
    text = text.casefold()
    longest = sorted(words, key=len, reverse=True)
    any_word = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")
    found = {words[match] for match in any_word.findall(text)}
    if len(found) > 1:
        return SEVERAL, None
    if not found or DENIED.search(any_word.sub(" ", text)):
        return NONE, None
    return ANSWERED, found.pop()
