"""Training recipes in words."""

from collections.abc import Mapping

CHOSEN = {
    "optimizer": {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD, Nesterov's momentum"},
    "schedule": {
        "one_cycle": "one cycle, up from 1/25 and down to 0",
        "cosine": "cosine, down to 0",
        "plateau": "reduced on a plateau",
    },
}
PHRASES = {
    "factor": "what a plateau reduces the rate to, {}",
    "patience": "{} epochs without a lower validation loss",
    "warmup": "{} of the steps",
    "clip": "at norm {}",
    "flip": "horizontal, probability {}",
    "rotation": "up to ±{}°",
    "shift": "up to ±{} of the side",
    "zoom": "1 ± {} at most",
    "brightness": "up to ±{} standard deviations",
    "contrast": "1 ± {} at most",
    "erase": "a rectangle of 2 to 20 %, probability {}",
    "mixup": "α = {}",
    "soft_labels": "share {} of the target, from the taggers' votes",
    "average": "exponential, decay {} per step",
    "test_flip": "probabilities averaged with the mirror image's",
}


def worded(settings: Mapping) -> dict[str, str]:
    """Return a recipe's settings as a reader sees them, without the ingredients that it leaves out.

    Parameters
    ----------
    settings : mapping
        Keys of ``training.recipes`` with their values, as the config has them.
    """
    used = {key: value for key, value in settings.items() if value}
    if used.get("optimizer") != "sgd":
        used.pop("momentum", None)
    if settings.get("schedule") == "plateau":
        used |= {"patience": settings.get("patience", 3), "factor": settings.get("factor", 0.1)}
    else:
        used = {key: value for key, value in used.items() if key not in ("patience", "factor")}
    if used.get("schedule") == "constant" and "warmup" not in used:
        del used["schedule"]
    shown = {key: value if isinstance(value, str) else f"{value:g}" for key, value in used.items()}
    shown.pop("decay_all", None)
    if settings.get("decay_all") is False and "weight_decay" in shown:
        shown["weight_decay"] += ", not of norms and biases"
    return {
        key: CHOSEN[key].get(value, value) if key in CHOSEN else PHRASES.get(key, "{}").format(value)
        for key, value in shown.items()
    }
