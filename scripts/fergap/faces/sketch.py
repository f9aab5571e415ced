"""The picture of a drawn face: soft-edged shapes, light, blur and noise, many faces at a time."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np

SIDE = 48
BATCH = 32  # faces whose arrays fit a processor's cache


def sketch(traits: Mapping[str, np.ndarray], rng: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """Draw faces.

    Parameters
    ----------
    traits : mapping of (n,) arrays
        Looks (:func:`fergap.faces.looks.looks`) and cues (:data:`fergap.faces.cues.CUES`) by name.
    rng : numpy.random.Generator
        For texture and noise.
    side : int
        Pixels on a side.

    Returns
    -------
    (n, side, side) uint8 array
    """
    return _in_batches(_face, traits, rng, side)


def clutter(n: int, rng: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """Draw ``n`` pictures that show no face: blank, a gradient, blobs, stripes or boxes; uint8 (n, side, side)."""
    traits = {
        "kind": rng.integers(0, 5, n),
        "tone": rng.uniform(0.1, 0.9, n),
        "step": rng.uniform(0.2, 0.7, n) * rng.choice([-1, 1], n),
        "angle": rng.uniform(0, np.pi, n),
        "waves": rng.uniform(4, 14, n),
        "x": rng.uniform(-0.5, 0.5, n),
        "y": rng.uniform(-0.5, 0.5, n),
        "width": rng.uniform(0.15, 0.6, n),
        "noise": rng.uniform(0.01, 0.08, n),
    }
    return _in_batches(_thing, traits, rng, side)


def _in_batches(draw: Callable, traits: Mapping[str, np.ndarray], rng: np.random.Generator, side: int) -> np.ndarray:
    n = len(next(iter(traits.values())))
    columns = {name: np.asarray(values, dtype=np.float32)[:, None, None] for name, values in traits.items()}
    out = np.empty((n, side, side), dtype=np.uint8)
    for start in range(0, n, BATCH):
        rows = slice(start, min(start + BATCH, n))
        picture = draw(SimpleNamespace(**{name: values[rows] for name, values in columns.items()}), rng, side)
        out[rows] = np.rint(np.clip(picture, 0, 1) * 255)
    return out


def _thing(t: SimpleNamespace, rng: np.random.Generator, side: int) -> np.ndarray:
    y, x = (axis.astype(np.float32)[None] * 2 / side - 1 for axis in np.mgrid[:side, :side])
    along = np.cos(t.angle) * x + np.sin(t.angle) * y
    box = np.maximum(np.abs(x - t.x) - t.width, np.abs(y - t.y) - t.width)
    patterns = [
        0 * along,
        t.step * along,
        2 * t.step * _blobs(len(t.x), rng, side),
        0.5 * t.step * np.sin(t.waves * along),
        t.step * _inside(box, 0.06) + 0.3 * t.step * along,
    ]
    picture = t.tone + sum((t.kind == k) * pattern for k, pattern in enumerate(patterns))
    return picture + t.noise * rng.standard_normal(picture.shape, dtype=np.float32)


def _face(t: SimpleNamespace, rng: np.random.Generator, side: int) -> np.ndarray:
    zoom = t.scale * side / SIDE
    soft = 1.15 / zoom
    rows, columns = (axis.astype(np.float32)[None] for axis in np.mgrid[:side, :side])
    x = (columns - t.centre_x * side / SIDE) / zoom
    y = (rows - t.centre_y * side / SIDE) / zoom
    sin, cos = np.sin(t.tilt), np.cos(t.tilt)
    u, v = cos * x + sin * y, cos * y - sin * x
    # a head that turns moves its features on the sphere, its outline stays
    near = np.clip(1.1 - 0.5 * (u * u + v * v * 0.6), 0, 1)
    face = SimpleNamespace(u=u, v=v, fu=u - t.turn * near, fv=v - t.nod * near, soft=soft)
    texture = _blobs(len(t.scale), rng, side)
    grain = rng.standard_normal(u.shape, dtype=np.float32)
    streaks = np.sin(t.hair_waves * (u + 0.35 * np.sin(2 * v + t.hair_phase)) * (1.4 - 0.3 * v) + t.hair_phase)
    hair = t.hair + t.hair_streaks * (0.25 + 0.75 * t.hair) * (streaks + 0.4 * grain)

    picture = t.background + t.background_x * x + t.background_y * y + 1.6 * t.clutter * texture
    picture = 1 - np.abs(1 - np.abs(picture))  # folded back, so that no background is all black or all white
    head = _head(face, t)
    body(picture, face, t, hair)
    lit = _lit(face, t)
    _paint(picture, t.skin * lit, _inside(head, soft))
    skin_shadows(picture, face, t, grain)
    beard(picture, face, t, head, grain)
    nose(picture, face, t)
    eyes(picture, face, t, lit)
    brows(picture, face, t)
    mouth(picture, face, t, lit)
    hair_front(picture, face, t, hair)

    picture = _blurred(picture, t.blur * side / SIDE)
    picture = 0.5 + t.gain * (picture - 0.5) + t.offset
    return picture + t.noise * grain


def _head(face: SimpleNamespace, t: SimpleNamespace) -> np.ndarray:
    """Signed distance to the outline of the head."""
    below = np.maximum(face.v, 0)
    cheek = np.exp(-8 * (face.v - 0.5) ** 2)
    width = t.width * (1 - t.jaw * below * below + t.cheeks * cheek)
    return _ellipse(face.u, face.v, width, t.height)


def _lit(face: SimpleNamespace, t: SimpleNamespace) -> np.ndarray:
    """Lambert's light on an egg with a nose and brow ridge, about 1 on average."""
    nx, ny = face.u / t.width * 0.85, face.v / t.height * 0.7
    nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0.05, 1))
    light = (nx * t.light_x + ny * t.light_y + nz * 0.75) / np.sqrt(t.light_x**2 + t.light_y**2 + 0.56)
    return 1 - t.light + t.light * 1.25 * np.clip(light, 0, 1)


def body(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, hair: np.ndarray) -> None:
    """Paint what lies behind the head: shoulders, neck, long hair, pigtails and ears."""
    u, v, soft = face.u, face.v, face.soft
    slope = 1.45 + 0.35 * u * u
    _paint(picture, t.collar, _inside(slope - v, soft))
    ends = t.long_length - 2.5 * np.clip(np.abs(u) - 0.85 * t.long_width, 0, 1) ** 2
    behind = np.maximum(np.abs(u) - t.long_width * (1 + 0.05 * np.sin(3 * v + t.hair_phase)), v - ends)
    behind = np.maximum(behind, -v - 0.5)
    _paint(picture, hair * 0.8, t.long * _inside(behind, soft * 2))
    neck = 0.52 + 0.12 * (1 - t.female) * (1 - t.child) - 0.06 * t.child
    _paint(picture, t.skin * 0.68, _inside(np.maximum(np.abs(u) - neck, 0.6 - v), soft) * (v < slope + 0.1))
    cap = _ellipse(u, v + 0.12, t.width + t.volume, t.height - 0.1 + t.volume)
    _paint(picture, hair * 0.85, (1 - t.bald) * _inside(np.maximum(cap, v - t.temple), soft))
    side = np.abs(u)
    _paint(picture, hair, t.pigtails * _inside(_ellipse(side - 1.26, v - 0.45, 0.22, 0.55), soft))
    ear = _ellipse(side - t.width * 0.99, v - t.eye_y - 0.22, 0.14, 0.25)
    _paint(picture, t.skin * 0.82, t.ears * _inside(ear, soft))
    _paint(picture, t.skin * 0.6, t.ears * _inside(ear + 0.08, soft))


def skin_shadows(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, grain: np.ndarray) -> None:
    """Darken eye sockets, cheeks, folds and lines of age and of expression."""
    fu, fv, soft = face.fu, face.fv, face.soft
    side = np.abs(fu)
    socket = np.exp(-(((side - t.eye_x) / 0.3) ** 2) - ((fv - t.eye_y + 0.04) / 0.17) ** 2)
    picture *= 1 - (0.16 + 0.12 * t.old) * socket
    adult = 1 - 0.75 * t.child
    # fold from the wing of the nose to the corner of the mouth
    corner = t.mouth_y - t.nose_y
    down = (fv - t.nose_y + 0.04) / corner
    fold = t.nose_width + 0.1 + 0.2 * down + 0.06 * t.corner_pull * np.sin(np.pi * np.clip(down, 0, 1))
    deep = adult * np.clip(
        0.12 + 0.5 * t.lines + 0.75 * t.corner_pull + 0.55 * t.nose_wrinkle + 0.3 * t.lip_raise, 0, 1.2
    )
    deep += (1 - adult) * 0.5 * np.clip(t.corner_pull + t.nose_wrinkle, 0, 1)
    ends = np.clip(4 * down + 0.2, 0, 1) * np.clip(4.4 - 4 * down, 0, 1)
    picture *= 1 - 0.38 * np.clip(deep, 0, 1) * ends * _stroke(side - fold, 0.035, soft)
    # raised cheeks bulge below the eyes
    cheek = np.clip(t.cheek, 0, 1.3)
    bulge = np.exp(-(((side - 0.52) / 0.2) ** 2) - ((fv - t.eye_y - 0.42) / 0.13) ** 2)
    picture *= 1 + 0.13 * cheek * bulge
    under = fv - t.eye_y - 0.21 + 0.5 * (side - t.eye_x) ** 2
    ends = np.clip(1.8 - np.abs(side - t.eye_x) / 0.13, 0, 1)
    picture *= 1 - (0.25 * cheek + 0.16 * t.old) * ends * _stroke(under, 0.03, soft)
    # crow's feet
    away = side - t.eye_x - t.eye_size - 0.13
    feet = np.maximum(
        _stroke(fv - t.eye_y - 0.5 * away, 0.018, soft), _stroke(fv - t.eye_y - 0.08 + 0.2 * away, 0.018, soft)
    )
    picture *= 1 - adult * np.clip(0.35 * t.lines + 0.22 * cheek, 0, 0.6) * feet * np.clip(
        1.5 - np.abs(away) / 0.07, 0, 1
    )
    # forehead: lines across when the brows rise, upright between them when they are drawn together
    raised = np.clip((t.inner_brow + t.outer_brow) / 2, 0, 1.2)
    across = np.zeros_like(fv)
    for line in (0.17, 0.31, 0.45):
        at = t.eye_y - t.brow_y - line - 0.12 * raised
        across = np.maximum(across, _stroke(fv - at - 0.12 * fu * fu + 0.05 * raised, 0.02, soft))
    across *= np.clip(2.2 - side / 0.3, 0, 1)
    picture *= 1 - adult * np.clip(0.32 * t.lines + 0.3 * raised, 0, 0.55) * across
    frown = np.clip(t.brow_lower, 0, 1.3)
    upright = _stroke(side - 0.085, 0.025, soft) * np.clip(2 - np.abs(fv - t.eye_y + 0.2) / 0.1, 0, 1)
    picture *= 1 - (0.45 * frown * (1 - 0.5 * t.child) + 0.12 * t.lines) * upright
    # wrinkled nose
    wrinkle = np.clip(t.nose_wrinkle, 0, 1.3)
    root = np.maximum(
        _stroke(fv - t.eye_y - 0.02 + 0.3 * side, 0.025, soft), _stroke(fv - t.eye_y - 0.14 + 0.3 * side, 0.025, soft)
    )
    picture *= 1 - 0.45 * wrinkle * root * np.clip(2.4 - side / 0.08, 0, 1)
    # chin
    ball = fv - t.mouth_y - 0.25 + 0.05 * np.clip(t.chin_raise, 0, 1) - 0.22 * np.clip(t.open, 0, 1.2) + 0.9 * fu * fu
    chin = np.clip(0.16 + 0.5 * t.chin_raise, 0, 0.7)
    picture *= 1 - 0.55 * chin * _stroke(ball, 0.04, soft) * np.clip(2 - side / 0.14, 0, 1)
    spots = np.exp(-(((side - 0.45) / 0.25) ** 2) - ((fv - 0.35) / 0.15) ** 2) * (grain > 0.9)
    picture *= 1 - 0.16 * t.freckles * spots


def beard(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, head: np.ndarray, grain: np.ndarray) -> None:
    """Paint stubble, beard and moustache."""
    u, v, soft = face.fu, face.fv, face.soft
    region = _inside(np.maximum(head, 0.62 + 0.15 * np.cos(3 * u) - 0.55 * u * u - v), soft * 4)
    tone = np.clip(t.hair * 0.9, 0.08, 0.8) * (1 + 0.2 * grain)
    _paint(picture, tone, np.maximum(t.beard, t.stubble) * region)
    lip = v - t.mouth_y + 0.17 + 0.06 * np.clip(t.lip_raise, 0, 1) + 0.1 * np.clip(t.open, 0, 1) - 0.35 * u * u
    _paint(picture, tone, t.moustache * _stroke(lip, 0.055, soft) * np.clip(5 - np.abs(u) / 0.075, 0, 1))


def nose(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace) -> None:
    """Shade the bridge and paint tip, wings and nostrils."""
    u, soft = face.fu, face.soft
    up = 0.07 * np.clip(t.nose_wrinkle, 0, 1.3)
    v = face.fv - t.nose_y + up
    bridge = np.clip((v + 0.62) * 4, 0, 1) * np.clip((0.12 - v) * 6, 0, 1)
    sides = np.exp(-(((np.abs(u) - 0.12 - 0.05 * v) / 0.06) ** 2)) * bridge
    picture *= 1 - sides * (0.1 + 0.22 * np.clip(-np.sign(u) * t.light_x, 0, 1)) * (1 - 0.4 * t.young)
    picture *= 1 + 0.1 * np.exp(-((u / 0.07) ** 2)) * bridge
    tip = v - 0.05 + 0.9 * u * u
    picture *= 1 - 0.3 * _stroke(tip, 0.035, soft) * np.clip(2 - np.abs(u) / t.nose_width * 1.3, 0, 1)
    hole = _ellipse(np.abs(u) - t.nose_width * 0.55, v - 0.02, 0.055, 0.035)
    picture *= 1 - 0.6 * _inside(hole, soft)
    wing = _ellipse(np.abs(u) - t.nose_width, v + 0.03, 0.05, 0.09)
    picture *= 1 - (0.16 + 0.3 * np.clip(t.nose_wrinkle, 0, 1)) * _inside(np.abs(wing) - 0.02, soft) * (
        np.abs(u) > t.nose_width
    )


def eyes(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, lit: np.ndarray) -> None:
    """Paint white, iris, pupil, lids and lashes."""
    soft = face.soft
    x = np.abs(face.fu) - t.eye_x
    y = face.fv - t.eye_y + t.eye_slant * x + 0.35 * t.skew * face.fu
    tight, cheek, raised = np.clip(t.lid_tight, -0.3, 1.3), np.clip(t.cheek, -0.3, 1.3), np.clip(t.lid_raise, -0.3, 1.3)
    upper = np.maximum(t.eye_open * (1.1 + 0.75 * raised - 0.5 * tight - 0.2 * cheek), 0.018)
    lower = np.maximum(t.eye_open * (0.85 + 0.25 * raised - 0.55 * tight - 0.6 * cheek), 0.008)
    q = np.clip((x / t.eye_size) ** 2, 0, 1.5)
    top, bottom = -upper * (1 - q) - 0.004, lower * (1 - q)
    gap = np.maximum(top - y, y - bottom)
    gap = np.maximum(gap, np.abs(x) - t.eye_size)
    white = np.clip(0.45 + 0.5 * t.skin, 0, 0.93) * (0.35 + 0.65 * lit)
    opening = _inside(gap, soft)
    _paint(picture, white, opening)
    pupil = np.abs(face.fu) - t.eye_x - t.gaze * np.sign(face.fu)
    away = np.sqrt(pupil * pupil + (y + 0.01) ** 2)
    iris = 0.098 + 0.02 * t.young
    _paint(picture, t.iris, opening * _inside(away - iris, soft))
    _paint(picture, 0.03, opening * _inside(away - 0.05, soft))
    glint = np.sqrt((pupil + 0.03 - 0.05 * (t.light_x > 0)) ** 2 + (y + 0.05) ** 2)
    _paint(picture, 0.95, 0.75 * opening * _inside(glint - 0.02, soft))
    ends = np.clip((1.12 - np.abs(x) / t.eye_size) * 6, 0, 1)
    _paint(picture, 0.12 * t.skin, 0.9 * ends * _stroke(y - top, t.lashes, soft))
    _paint(picture, 0.45 * t.skin, 0.55 * ends * _stroke(y - bottom, 0.014, soft))
    crease = y - top + 0.075 + 0.03 * raised
    _paint(picture, 0.55 * t.skin, (0.35 + 0.25 * t.old) * ends * _stroke(crease, 0.015, soft))


def brows(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace) -> None:
    """Paint the brows, higher or lower at either end."""
    soft = face.soft
    inner, outer, lower = t.inner_brow, t.outer_brow, t.brow_lower
    half = 0.27
    at = t.eye_x + 0.01 - 0.07 * lower
    x = (np.abs(face.fu) - at) / half  # -1 at the inner end, 1 at the outer
    inside, outside = (1 - x) / 2, (1 + x) / 2
    rise = 0.25 * inner * inside + 0.22 * outer * outside - lower * (0.2 * inside + 0.05 * outside)
    rise += t.brow_arch * (1 - (x - 0.25) ** 2) - 0.05 * t.nose_wrinkle - 0.06 * outside
    y = face.fv - t.eye_y + t.brow_y + rise + 0.8 * t.skew * face.fu
    thick = t.brow_thick * np.clip(1.05 - 0.4 * outside**2, 0.2, 1.2)
    ends = np.clip((1.06 - np.abs(x)) * 5, 0, 1)
    _paint(picture, t.brow_tone, 0.92 * ends * _stroke(y, thick, soft))


def mouth(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, lit: np.ndarray) -> None:
    """Paint lips, opening, teeth and the shadows at the corners."""
    u, soft = face.fu, face.soft
    pull, drop, stretch = (np.clip(value, -0.3, 1.4) for value in (t.corner_pull, t.corner_drop, t.stretch))
    press, opened, raised = (np.clip(value, 0, 1.4) for value in (t.press, t.open, t.lip_raise))
    round_ = opened * np.clip(1 - pull - stretch, 0, 1)
    width = t.mouth_width * (1 + 0.32 * pull + 0.32 * stretch - 0.14 * press - 0.32 * round_ + 0.02 * drop)
    bend = 0.19 * pull - 0.17 * drop - 0.05 * raised
    q = (u / width) ** 2
    rim = np.sqrt(np.clip(1 - q, 0, 1))
    middle = t.mouth_y + bend * (0.55 - q) * np.clip(1.15 - 0.15 * q, 0, 1) - 0.05 * t.chin_raise + t.skew * u
    y = face.fv - middle
    up = (0.07 * opened + 0.085 * raised) * (0.55 * rim + 0.45 * rim * rim)
    down = (0.27 * opened + 0.03 * raised + 0.05 * np.clip(stretch, 0, 1)) * (0.5 * rim + 0.5 * rim * rim)
    lip = t.lip_thick * (1 - 0.7 * np.clip(press, 0, 1)) * rim
    side = np.abs(u) - width
    lips = np.maximum(np.maximum(-y - up - 0.75 * lip, y - down - lip), side)
    _paint(picture, t.lip_tone * (0.3 + 0.7 * lit), 0.9 * _inside(lips, soft))
    gap = np.maximum(np.maximum(-y - up, y - down), side)
    wide = np.clip((up + down) / 0.06, 0, 1)
    _paint(picture, 0.1 * t.skin, wide * _inside(gap, soft))
    bared = np.clip(pull + stretch + 1.2 * raised + 0.7 * t.brow_lower + 0.15, 0, 1)
    teeth = np.maximum(gap, y + up - 0.1 - 0.05 * pull)
    _paint(picture, 0.88 * (0.45 + 0.55 * lit), bared * wide * _inside(teeth + 0.01, soft))
    ends = np.clip((1.06 - np.sqrt(q)) * 8, 0, 1)
    _paint(
        picture, 0.22 * t.skin, (1 - 0.8 * wide) * ends * (0.75 + 0.2 * press) * _stroke(y, 0.025 + 0.014 * press, soft)
    )
    dimple = np.sqrt((np.abs(u) - width - 0.02) ** 2 + (y + 0.01) ** 2)
    picture *= 1 - (0.12 + 0.3 * np.clip(np.abs(pull) + np.abs(drop), 0, 1)) * _inside(dimple - 0.04, soft * 1.5)
    below = face.fv - middle - down - lip - 0.035
    picture *= 1 - 0.16 * _stroke(below, 0.035, soft) * np.clip(1.6 - q * 1.8, 0, 1)


def hair_front(picture: np.ndarray, face: SimpleNamespace, t: SimpleNamespace, hair: np.ndarray) -> None:
    """Paint the hair that lies over the forehead and temples, and a bow."""
    u, v, soft = face.u, face.v, face.soft
    cap = _ellipse(u, v + 0.12, t.width + t.volume, t.height - 0.1 + t.volume)
    across = np.clip(np.abs(u - 0.2 * t.turn - t.parting * np.exp(-u * u)) / 0.98, 0, 1.3)
    edge = t.hairline + (t.temple - t.hairline) * across**4 + 0.03 * np.sin(9 * u + t.hair_phase)
    _paint(picture, hair, (1 - t.bald * (np.abs(u) < 0.8)) * _inside(np.maximum(cap, v - edge), soft * 1.3))
    lock = np.maximum(0.9 * t.width + 0.05 * np.sin(4 * v + t.hair_phase) - np.abs(u), v - t.long_length)
    lock = np.maximum(np.maximum(lock, -0.7 - v), np.abs(u) - t.long_width)
    _paint(picture, hair, t.long * _inside(lock, soft * 1.5))
    a, b = u - t.bow_side, v + t.height - 0.12
    bow = np.maximum(np.abs(a) - 0.28, np.abs(b) - 0.05 - 0.45 * np.abs(a))
    _paint(picture, t.bow_tone, t.bow * _inside(bow, soft))


def _inside(distance: np.ndarray, soft: np.ndarray | float) -> np.ndarray:
    """Share of a pixel inside a shape, from the signed distance to its edge."""
    return np.clip(0.5 - distance / soft, 0, 1)


def _stroke(distance: np.ndarray, half: np.ndarray | float, soft: np.ndarray) -> np.ndarray:
    """Share of a pixel on a line; a line thinner than a pixel is faint, not broken."""
    away = np.abs(distance)
    return np.clip(
        np.minimum(0.5 + (half - away) / soft, 2 * half / soft * np.clip(1.5 - away / soft, 0, 1) * 1.2), 0, 1
    )


def _ellipse(x: np.ndarray, y: np.ndarray, width: np.ndarray | float, height: np.ndarray | float) -> np.ndarray:
    """Signed distance to an ellipse, to first order."""
    a, b = x / width, y / height
    inside = np.sqrt(a * a + b * b)
    slope = np.sqrt((a / width) ** 2 + (b / height) ** 2)
    return inside * (inside - 1) / (slope + 1e-6)


def _paint(picture: np.ndarray, tone: np.ndarray | float, cover: np.ndarray) -> None:
    picture += (tone - picture) * cover


def _blobs(n: int, rng: np.random.Generator, side: int, cells: int = 6) -> np.ndarray:
    """Smooth noise: random knots, linear between them; about -1 … 1."""
    knots = rng.uniform(-1, 1, (n, cells, cells)).astype(np.float32)
    at = np.linspace(0, cells - 1, side, dtype=np.float32)
    weight = np.clip(1 - np.abs(at[:, None] - np.arange(cells, dtype=np.float32)), 0, 1)
    return weight @ knots @ weight.T


def _blurred(picture: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Gaussian blur by two passes of three taps, edges repeated; exact in variance up to about 0.8 pixels."""
    tap = np.clip(sigma * sigma / 4, 0, 0.3)  # variance of one pass is twice the outer tap
    for _ in range(2):
        for axis in (1, 2):
            pad = [(0, 0)] * 3
            pad[axis] = (1, 1)
            wide = np.pad(picture, pad, mode="edge")
            low, high = (wide[:, :-2], wide[:, 2:]) if axis == 1 else (wide[:, :, :-2], wide[:, :, 2:])
            picture = (1 - 2 * tap) * picture + tap * (low + high)
    return picture
