"""Picture files of any size and colour as small grey squares."""

import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fergap.errors import one_line
from fergap.progress import Progress

UNREADABLE, MISSING = "picture cannot be read", "picture file missing"
LARGEST = 50_000_000  # pixels of a picture; more is a mistake, or meant to use up the memory
OUTSIDE = "box of the face outside of the picture"
TOO_LARGE = f"picture of more than {LARGEST:,} pixels"
# kinds that Pillow decodes by itself, without calling another program
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
BROKEN = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)
PER_TASK = 256
EXAMPLES = 5


def grey(image: Image.Image) -> Image.Image:
    """Return a picture in 8-bit grey (ITU-R 601-2 luma), turned upright as its EXIF says; opacity is left out.

    Raises
    ------
    ValueError
        It has 32-bit pixels, whose range is not known.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.round(np.asarray(image) / 257).astype("uint8"))
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode}")
    return image.convert("L")


def square(image: Image.Image, size: int) -> np.ndarray:
    """Return a grey picture at ``size`` × ``size`` pixels; uint8.

    A picture of another size is resized with antialiasing (Lanczos); one that is not square is squeezed, not cropped.
    """
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def cut(image: Image.Image, box: np.ndarray) -> Image.Image | None:
    """Return what of a picture lies in a box (left, top, right, bottom, in pixels as stored), None if nothing does."""
    left, top, right, bottom = np.round(box).astype("int64").tolist()
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    return image.crop((left, top, right, bottom)) if left < right and top < bottom else None


def decode(path: Path, size: int, box: np.ndarray | None = None) -> np.ndarray | str:
    """Return a picture file, or what lies in a box, as grey pixels, uint8 (size, size), or why it cannot be."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                return TOO_LARGE
            face = image if box is None else cut(image, box)
            return OUTSIDE if face is None else square(grey(face), size)
    except FileNotFoundError:
        return MISSING
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return TOO_LARGE
    except BROKEN:
        return UNREADABLE


@contextmanager
def listening(current: threading.local, warned: dict[Path, str]) -> Iterator[None]:
    """Note by path what Pillow warns of while a thread reads ``current.path``; a bomb of pixels is an error."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def note(message: Warning, category: type[Warning], *where: object, **more: object) -> None:
            path = getattr(current, "path", None)
            if path and issubclass(category, UserWarning):
                warned.setdefault(path, str(message))
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = note
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def tell_warned(warned: dict[Path, str], kept: set[Path]) -> None:
    """Say which of the pictures that are kept Pillow warned of, and of what."""
    if not (some := sorted(path for path in warned if path in kept)):
        return
    names = ", ".join(map(str, some[:EXAMPLES])) + (", …" if len(some) > EXAMPLES else "")
    words = ("picture was read", "it") if len(some) == 1 else ("pictures were read", "them")
    about = one_line(" ".join(warned[some[0]].split())).rstrip(". ")
    print(f"look at {names}: {len(some):,} {words[0]} though Pillow warns of {words[1]} ({about})", file=sys.stderr)


def read_pictures(
    paths: Sequence[Path], size: int, threads: int = 1, boxes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read picture files.

    Pictures of more than 50 million pixels are not read, nor are kinds beyond PNG, JPEG, BMP, GIF, TIFF, WebP and PPM.
    Where ``boxes`` (n × 4: left, top, right, bottom, in pixels) are given, each picture is cut to what of its box it
    holds. A picture of which Pillow warns, as where metadata are damaged, is read as far as they go, and told.

    Returns
    -------
    pixels : ndarray of uint8, shape (n, size, size)
        Zeros where a picture cannot be read.
    reason : ndarray of str, shape (n,)
        Why not; empty where it can.
    """
    pixels = np.zeros((len(paths), size, size), "uint8")
    reason = np.full(len(paths), "", dtype=object)
    current, warned = threading.local(), {}

    def read_some(start: int) -> int:
        some = paths[start : start + PER_TASK]
        for row, path in enumerate(some, start):
            current.path = path
            found = decode(path, size, None if boxes is None else boxes[row])
            if isinstance(found, str):
                reason[row] = found
            else:
                pixels[row] = found
        return len(some)

    with (
        listening(current, warned),
        ThreadPoolExecutor(threads) as pool,
        Progress("reading pictures", len(paths), "pictures") as progress,
    ):
        for done in pool.map(read_some, range(0, len(paths), PER_TASK)):
            progress.step(done)
    tell_warned(warned, {path for path, why in zip(paths, reason, strict=True) if not why})
    return pixels, reason


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return grey pictures, uint8 of shape (n, height, width), at ``size`` × ``size`` pixels."""
    if pixels.shape[1:] == (size, size):
        return pixels
    return np.stack([square(Image.fromarray(picture), size) for picture in pixels])
