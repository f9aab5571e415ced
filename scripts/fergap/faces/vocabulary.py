"""One name for each expression, whatever a data set calls or numbers it; nothing beyond the standard library."""

from collections.abc import Mapping

from fergap.errors import UserError
from fergap.faces.locations import EMOTIONS

AS_PUBLISHED = "put the file as published there"
SYNONYMS = {
    "neutral": ("neutrality", "normal", "calm"),
    "happiness": ("happy", "joy", "joyful"),
    "surprise": ("surprised",),
    "sadness": ("sad",),
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "contempt": ("contemptuous",),
}
"""For each of :data:`EMOTIONS` the other words that data sets use."""

NAMES = {name: name for name in EMOTIONS} | {word: name for name, words in SYNONYMS.items() for word in words}

RAFDB_BASIC = dict(enumerate(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), 1))
RAFDB_COMPOUND = dict(
    enumerate(
        (
            "happily surprised",
            "happily disgusted",
            "sadly fearful",
            "sadly angry",
            "sadly surprised",
            "sadly disgusted",
            "fearfully angry",
            "fearfully surprised",
            "angrily surprised",
            "angrily disgusted",
            "disgustedly surprised",
        ),
        1,
    )
)
EXPW = dict(enumerate(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")))
AFFECTNET = dict(enumerate(("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")))
AFFECTNET_ASIDE = {8: "none of the expressions", 9: "annotator uncertain", 10: "not a face"}
SMILING = {1: "smiling", -1: "not smiling"}


def unified(word: str) -> str:
    """Return the one name of an expression: ``Happy`` is ``happiness``; a word that is none of them stays as it is."""
    return NAMES.get(word.strip().lower(), word)


def decoded(code: str, names: Mapping[int, str], where: str) -> str:
    """Return the name behind a data set's number.

    Raises
    ------
    UserError
        The text is none of the numbers.
    """
    try:
        return names[int(code)]
    except (KeyError, ValueError):
        raise UserError(
            f"the number is {code!r}",
            where=where,
            expected=", ".join(f"{number} ({name})" for number, name in names.items()),
            fix=AS_PUBLISHED,
        ) from None
