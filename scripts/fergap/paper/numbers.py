"""Numbers in the paper's tables and figures: the verdicts' own rounding, with dashes where there is no value."""

from fergap.audit import sentences

MINUS, MISSING = "−", "–"


def missing(value: float | None) -> bool:
    """Whether there is no value (None or NaN)."""
    return value is None or value != value


def fixed(value: float | None, decimals: int) -> str:
    """Return ``value`` with a true minus sign and without a negative zero."""
    if missing(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", MINUS)


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share in 0 … 1 as ``51.6 %``, with a space that does not break."""
    return MISSING if missing(share) else f"{fixed(100 * share, decimals)}\N{NO-BREAK SPACE}%"


def level(confidence: float) -> str:
    """Return a level of confidence as ``95 %``, with decimals only where it has some."""
    return sentences.whole_percent(confidence).replace(" ", "\N{NO-BREAK SPACE}")


def points(difference: float | None, signed: bool = True) -> str:
    """Return a difference in −1 … 1 as percentage points: ``−4.1``, or ``+0.7`` where ``signed``."""
    if missing(difference):
        return MISSING
    text = sentences.points(difference, signed)
    return f"+{text}" if signed and not text.startswith(MINUS) and text != "0.0" else text


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of fractions as ``[1.6, 6.6]`` in percent or points, which does not break."""
    if missing(low) or missing(high):
        return MISSING
    return f"[{sentences.points(low)},\N{NO-BREAK SPACE}{sentences.points(high)}]"


def with_interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """Return a difference with its interval in percentage points: ``−4.1 [−6.6, −1.6]``."""
    return f"{points(estimate)} {interval(low, high)}"


def p_value(p: float | None) -> str:
    """Return a p-value as ``0.037``, ``< 0.001`` or ``> 0.999``."""
    if missing(p):
        return MISSING
    return sentences.p_value(p).removeprefix("p ").removeprefix("= ").replace(" ", "\N{NO-BREAK SPACE}")


def count(number: float | None) -> str:
    """Return a whole number with thousands separated: ``16,245``."""
    return MISSING if missing(number) else sentences.number(int(number))
