"""A model behind an OpenAI-compatible address: one question, asked until there is an answer."""

import base64
import hashlib
import io
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException

import numpy as np
from PIL import Image

from fergap.errors import UserError, shown
from fergap.training.wording import ANSWERED, REFUSED

BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
REFUSING = ("content_filter", "content_policy_violation", "responsible_ai_policy_violation", "moderation_blocked")
LONGEST_WAIT = 120.0  # seconds between two requests, whatever the endpoint asks for


class Away(Exception):
    """The endpoint gave no answer however often it was asked; what it said last, and how many requests that took."""

    def __init__(self, said: str, requests: int, broken: bool):
        super().__init__(said)
        self.requests, self.broken = requests, broken


class NotFollowed(urllib.request.HTTPRedirectHandler):
    """Leaves redirections alone: the key belongs to the address that was given, and to no other."""

    def redirect_request(self, *given: object) -> None:
        """Return None: there is no further request."""


@dataclass(frozen=True)
class Answer:
    """What a model said of one picture.

    Attributes
    ----------
    text : str
        Its words, empty where there are none.
    status : str
        ``answered``; ``refused`` where the model or its provider declared that it does not answer; ``unreadable``.
    model : str
        The name under which it answered, which may be more exact than the one asked for.
    tokens : int
        Of question and answer, as the endpoint counts them; 0 where it does not tell.
    requests : int
        How many it took.
    """

    text: str
    status: str
    model: str
    tokens: int
    requests: int


def drawn_png(pixels: np.ndarray, size: int) -> bytes:
    """Return a picture as PNG.

    Parameters
    ----------
    pixels : numpy.ndarray
        (side, side) or (3, side, side) uint8.
    size : int
        Pixels on a side to which a smaller picture is enlarged (bicubic); a larger one stays as it is.
    """
    image = Image.fromarray(pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1))
    if image.width < size:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def question(prompt: str, picture: bytes, model: str, more: Mapping) -> bytes:
    """Return the body of a request of the chat completions protocol: a text and a PNG of one face."""
    address = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": address}}]
    body = {"model": model, "messages": [{"role": "user", "content": content}]} | dict(more)
    return json.dumps(body, sort_keys=True).encode()


def key_of(url: str, body: bytes) -> str:
    """Return SHA-256 of a question and of whom it is put to, in hexadecimal."""
    return hashlib.sha256(url.encode() + b"\0" + body).hexdigest()


def secret(name: str | None) -> str:
    """Return the key from the environment variable of that name, nothing without a name.

    Raises
    ------
    UserError
        There is no such variable.
    """
    if name is None:
        return ""
    if not (key := os.environ.get(name, "").strip()):
        raise UserError(
            f"the environment variable {name} is empty or not set",
            where="arms: endpoint: key_from",
            fix=f"export {name}=… with the endpoint's key before you start the workflow",
        )
    return key


def read_answer(body: bytes, requests: int) -> Answer:
    """Return what a response of the chat completions protocol says.

    Raises
    ------
    ValueError
        It is no such response.
    """
    try:
        told = json.loads(body)
        choice = told["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        if isinstance(text, list):  # some servers answer in parts
            text = "".join(str(part.get("text", "")) for part in text)
        if not isinstance(text, str | None):
            raise ValueError("an answer that is no text")
        usage = told.get("usage") or {}
        return Answer(
            text=(text or refusal or "").strip(),
            status=REFUSED if refusal or choice.get("finish_reason") == "content_filter" else ANSWERED,
            model=str(told.get("model") or ""),
            tokens=int(usage.get("total_tokens") or 0),
            requests=requests,
        )
    except (AttributeError, KeyError, IndexError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"no answer of the chat completions protocol: {shown(body[:200])}") from error


def waiting(tried: int, asked: str | None, chance: float) -> float:
    """Return seconds before the next request: 1, 2, 4, … and up to as much again by chance, or what was asked for.

    Parameters
    ----------
    tried : int
        Requests so far, at least 1.
    asked : str or None
        The header ``Retry-After``.
    chance : float
        0 … 1.
    """
    try:
        return min(max(float(asked), 0.0), LONGEST_WAIT)
    except (TypeError, ValueError):
        return min(2.0 ** (tried - 1) * (1 + chance), LONGEST_WAIT)


def refuses(body: bytes) -> bool:
    """Whether an error says that the provider's policy forbids to answer on this picture."""
    return any(sign in body.decode("utf-8", "replace").lower() for sign in REFUSING)


def ask(
    url: str,
    body: bytes,
    key: str,
    *,
    timeout: float,
    retries: int,
    spend: Callable[[], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Put one question, again after a while where the endpoint is busy, away or says what cannot be read.

    Parameters
    ----------
    url : str
        The base address, to which ``/chat/completions`` is added.
    body : bytes
        From :func:`question`.
    key : str
        Sent as bearer; may be empty.
    timeout : float
        Seconds for one request.
    retries : int
        Further requests after the first.
    spend : callable
        Called before each request; may raise to stop.
    sleep : callable
        Takes seconds.

    Raises
    ------
    Away
        No request was answered.
    UserError
        The endpoint refuses the key, the model or the question as such.
    """
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url.rstrip("/") + "/chat/completions", body, headers, method="POST")
    opener = urllib.request.build_opener(NotFollowed)
    said, broken, after = "", False, None
    for tried in range(1, retries + 2):
        spend()
        try:
            with opener.open(request, timeout=timeout) as response:
                return read_answer(response.read(), tried)
        except urllib.error.HTTPError as error:
            with error:
                told = error.read()
            if error.code in (400, 403, 422) and refuses(told):
                return Answer(told.decode("utf-8", "replace")[:1000], REFUSED, "", 0, tried)
            if error.code not in BUSY:
                raise UserError(
                    f"the endpoint answers {error.code} {error.reason}: {shown(told.decode('utf-8', 'replace'))}",
                    where=f"arms: endpoint: {url}",
                    expected="an OpenAI-compatible address that knows the key and the model",
                    fix="correct url, model, key_from or request; answers so far are kept",
                ) from None
            said, broken, after = f"{error.code} {error.reason}", False, error.headers.get("Retry-After")
        except ValueError as error:
            said, broken, after = str(error), True, None
        except (OSError, HTTPException) as error:  # no route, a refused connection, a timeout, a cut line
            said, broken, after = str(error) or type(error).__name__, False, None
        if tried <= retries:
            sleep(waiting(tried, after, random.random()))
    raise Away(said, retries + 1, broken)
