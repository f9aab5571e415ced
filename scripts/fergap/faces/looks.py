"""What a drawn person looks like and how the picture was taken: everything that is no expression."""

from collections.abc import Mapping

import numpy as np


def looks(female: np.ndarray, age: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the looks of people and the circumstances of their pictures.

    Gender shows in hair, brows, lips, lashes, jaw and beard; childhood in a round head, low features, large eyes and
    a small nose and mouth; age in lines, folds and grey or missing hair.

    Parameters
    ----------
    female : (n,) bool array
    age : (n,) array
        Years; below 15 is a child.
    rng : numpy.random.Generator

    Returns
    -------
    dict of (n,) float64 arrays
        Lengths in half widths of a head, angles in radians, tones in 0 (black) … 1 (white), ``scale`` and ``blur`` in
        pixels.
    """
    n = len(age)
    child = age < 15
    man = ~female & ~child

    def normal(mean, sd):
        return rng.normal(mean, sd, n)

    def uniform(low, high):
        return rng.uniform(low, high, n)

    def chance(p):
        return rng.random(n) < p

    young = np.where(child, 0.65 + 0.35 * (12 - age) / 9, 0.0)
    old = np.clip((age - 28) / 42, 0, 1) * ~child
    out = {"female": female, "child": child, "young": young, "old": old}
    # picture
    out |= {
        "scale": normal(17.6, 0.9),
        "centre_x": normal(23.5, 1.1),
        "centre_y": normal(24.6, 1.0),
        "tilt": normal(0, 0.08),
        "turn": normal(0, 0.1),
        "nod": normal(0, 0.06),
        "light_x": uniform(-1, 1),
        "light_y": uniform(-0.9, 0.5),
        "light": uniform(0.1, 0.6),
        "gain": uniform(0.85, 1.25),
        "offset": normal(0, 0.07),
        "blur": np.abs(normal(0, 0.35)),
        "noise": 0.008 + rng.gamma(1.5, 0.006, n),
        "background": uniform(0.1, 0.9),
        "background_x": normal(0, 0.3),
        "background_y": normal(0, 0.3),
        "clutter": uniform(0.04, 0.26),
        "collar": uniform(0, 1),
    }
    # skin, hair
    skin = uniform(0.5, 0.9)
    grey = old * (rng.random(n) < 0.75)
    hair = np.clip(rng.beta(1.1, 1.9, n), 0.03, 0.8)
    hair = (1 - 0.75 * grey) * hair + 0.75 * grey * uniform(0.55, 0.95)
    # hair as light as the skin would leave a bare egg
    near = np.abs(hair - skin * 0.9) < 0.14
    hair = np.where(near, hair - np.where(hair > 0.5, 0.28, 0.2), hair).clip(0.03, 0.95)
    long = np.where(female, chance(0.82), chance(0.03))
    bald = man * chance(0.12 + 0.35 * old)
    fringe = chance(np.where(child, 0.5, np.where(female, 0.3, 0.12)))
    out |= {
        "skin": skin,
        "hair": hair,
        "hair_streaks": uniform(0.02, 0.09),
        "hair_phase": uniform(0, 6.3),
        "hair_waves": uniform(6, 16),
        "long": long,
        "long_length": uniform(0.3, 1.6),
        "long_width": np.where(child, uniform(1.1, 1.3), uniform(1.12, 1.5)),
        "bald": bald,
        "hairline": np.where(fringe, normal(-0.62, 0.06), normal(-0.86, 0.07))
        + 0.18 * young
        - 0.1 * man * old
        - 0.35 * bald,
        "temple": np.where(long, normal(0.3, 0.2), normal(-0.12, 0.12)),
        "parting": normal(0, 0.15) * ~fringe,
        "volume": np.where(female, normal(0.17, 0.05), normal(0.1, 0.035)) - 0.1 * bald,
        "pigtails": female & child & chance(0.5),
        "bow": female & child & chance(0.35),
        "bow_side": np.where(chance(0.5), 0.55, -0.55),
        "bow_tone": np.where(hair > 0.45, 0.08, 0.95),
        "ears": ~(long & chance(0.7)),
    }
    # head and features
    out |= {
        "height": normal(1.3, 0.04) - 0.13 * young,
        "width": normal(1.0, 0.03) + 0.02 * young - 0.02 * female,
        "jaw": np.where(female, 0.16, 0.02) + normal(0.02, 0.05) - 0.05 * young + 0.03 * female * young,
        "cheeks": 0.09 * young,
        "eye_x": normal(0.42, 0.018) + 0.02 * young,
        "eye_y": normal(-0.17, 0.03) + 0.19 * young,
        "eye_size": normal(0.215, 0.012) + 0.035 * young,
        "eye_open": normal(0.105, 0.008) + 0.035 * young + 0.008 * female - 0.012 * old,
        "eye_slant": normal(0, 0.05),
        "iris": uniform(0.08, 0.4) * skin,
        "gaze": normal(0, 0.035),
        "lashes": 0.03 * female * ~child + 0.012 * female * child + 0.026,
        "brow_y": normal(0.285, 0.02) - 0.015 * young + 0.02 * female,
        "brow_thick": np.where(man, 0.078, np.where(female, 0.043, 0.047)) + normal(0, 0.007),
        "brow_arch": normal(0.03, 0.015) + 0.035 * female * ~child,
        "brow_tone": np.clip(hair * 0.7, 0.05, skin * 0.62),
        "nose_y": normal(0.33, 0.03) + 0.06 * young,
        "nose_width": normal(0.155, 0.015) - 0.035 * young - 0.015 * female + 0.01 * man,
        "mouth_y": normal(0.69, 0.03) + 0.03 * young,
        "mouth_width": normal(0.36, 0.022) - 0.07 * young,
        "lip_thick": np.where(female & ~child, 0.09, 0.068) + normal(0, 0.008),
        "lip_tone": np.where(female & ~child, uniform(0.45, 0.7), uniform(0.62, 0.76)) * skin,
        "skew": normal(0, 0.03),
        "lines": np.clip(old * uniform(0.6, 1.3), 0, 1.2),
        "beard": man * chance(0.15) * uniform(0.25, 0.6),
        "moustache": man * chance(0.1) * uniform(0.4, 0.9),
        "stubble": man * uniform(0.0, 0.14),
        "freckles": child * chance(0.3) * 1.0,
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in out.items()}


def taken(traits: dict[str, np.ndarray], style: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the looks of faces as a data set with a manner of its own takes their pictures.

    Parameters
    ----------
    traits : dict of (n,) float64 arrays
        From :func:`looks`.
    style : mapping
        ``blur``, the standard deviation in pixels of a Gaussian blur beside that of each picture; ``noise``, the
        standard deviation added to each pixel's, and ``brightness``, added to each pixel, in units of black to white;
        ``contrast``, a factor around middle grey. 0, 0, 0 and 1 change nothing, to the bit.
    """
    return traits | {
        "blur": np.hypot(traits["blur"], style["blur"]),
        "noise": traits["noise"] + style["noise"],
        "gain": traits["gain"] * style["contrast"],
        "offset": traits["offset"] + style["brightness"],
    }
