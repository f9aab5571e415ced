"""Interventions in words: for each option of an arm, what the table of arms says and a sentence of the methods."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fergap.paper.markdown import listing
from fergap.paper.numbers import MINUS, fixed, percent


class Words(NamedTuple):
    """An option's words: a function of its value for the table of arms, and the sentence (Markdown) on the method."""

    short: Callable[[Any], str]
    sentence: str


def amount(value: float) -> str:
    """Return a number of the configuration as it was written, with a true minus sign."""
    return f"{value:g}".replace("-", MINUS)


def by(settings: Mapping, word: str = "by") -> str:
    """Return `` by gender × age``, or nothing where no attribute is named."""
    named = settings.get("by")
    if not named:
        return ""
    return f" {word} {listing([a.replace('*', ' × ') for a in ([named] if isinstance(named, str) else named)])}"


def with_settings(words: str, settings: Mapping, **names: str) -> str:
    """Return ``words (strength 0.5, step 0.01)`` with the settings that are given, by the names for a reader."""
    given = [f"{shown} {amount(settings[key])}" for key, shown in names.items() if settings.get(key) is not None]
    return f"{words} ({', '.join(given)})" if given else words


def composition(settings: Mapping) -> str:
    """Return the shares of a composition in words."""
    attribute, shares = next(iter(settings.items()))
    shown = attribute.replace("*", " × ")
    if shares == "as_found":
        return f"{shown} as found, at the common size"
    parts = [f"{percent(share, 0)} {group.replace('*', ' × ')}" for group, share in shares.items() if share]
    return f"{shown}: {listing(parts)}"


def sampled(settings: Mapping, verb: str, other: str) -> str:
    """Return what is repeated or left out, to what share, and within which groups."""
    attribute, group = next((k, v) for k, v in settings.items() if k not in ("to", "within"))
    aim = (
        f"as many rows as the {other} group"
        if settings["to"] == "parity"
        else f"{percent(settings['to'], 0)} of the rows"
    )
    within = f", within each {settings['within'].replace('*', ' × ')}" if settings.get("within") else ""
    named = "every group" if group == "all" else group.replace("*", " × ")
    return f"{named} ({attribute.replace('*', ' × ')}) {verb} to {aim}{within}"


def reweight(settings: Mapping) -> str:
    """Return how rows are weighted."""
    kind = settings.get("kind", "inverse_frequency").replace("_", " ")
    return with_settings(f"rows weighted{by(settings)}, {kind}", settings, power="power")


def loss(settings: Mapping) -> str:
    """Return the loss in place of cross-entropy."""
    kind, own = next(iter(settings.items()))
    names = {"gamma": "γ", "alpha": "α", "beta": "β"}
    return with_settings(f"{kind.replace('_', ' ')} loss".replace("entropy loss", "entropy"), own or {}, **names)


def penalty(settings: Mapping) -> str:
    """Return the penalties in words."""
    names = {"demographic_parity": "demographic parity", "equalized_odds": "equalised odds"}
    return " and ".join(
        with_settings(f"penalty for {names.get(kind, kind)}{by(own)}", own, strength="strength")
        for kind, own in settings.items()
    )


def alignment(settings: Mapping) -> str:
    """Return which parts of latent alignment there are."""
    weights = {"kl": "KL", "discriminator": "discriminator", "style": "style"}
    return with_settings(f"latent alignment{by(settings)}", settings, **weights)


def fitted(what: str) -> Callable[[Mapping], str]:
    """Return the words of what is fitted on validation faces after training."""

    def words(settings: Mapping) -> str:
        goal = f", {settings['goal'].replace('_', ' ')}" if settings.get("goal") else ""
        strength = settings.get("strength", 1)
        part = f", at {percent(strength, 0)} of what was fitted" if strength != 1 else ""
        return f"{what}{by(settings, 'for each group of')}{goal}{part}"

    return words


AFTERWARDS = ("from", "ensemble", "temperature", "thresholds")
"""Options that change another arm's predictions and train nothing."""
SAMPLING = ("composition", "oversample", "undersample")
"""Options that decide which faces are in the training part, and how often."""
INTERVENTIONS: dict[str, Words] = {
    "composition": Words(
        composition,
        "A composition draws the training part of each fold anew and without repeats, so that its groups have the "
        "stated shares; all arms with a composition train on equally many faces, lest size be taken for composition, "
        "and every face is predicted out of fold as in any other arm.",
    ),
    "oversample": Words(
        lambda settings: sampled(settings, "repeated", "largest other"),
        "Oversampling repeats the training faces of a group, each equally often or once more, until it has the "
        "stated share of the rows.",
    ),
    "undersample": Words(
        lambda settings: sampled(settings, "cut", "smallest other"),
        "Undersampling leaves out training faces of a group, drawn at random, until it has that share of the rows.",
    ),
    "reweight": Words(
        reweight,
        "Re-weighting lets each training row count by the inverse frequency of its group, or, as *reweighing*, so "
        "that group and class are independent in the weighted rows [@kamiran2012]; weights have mean one, and a "
        "power below one draws them towards it.",
    ),
    "confidence_weights": Words(
        lambda settings: with_settings(
            f"rows weighted by doubt{by(settings)}", settings, power="power", strength="strength"
        ),
        "Weights by confidence let those rows of a step count more of whose class the network is less sure, anew in "
        "every step.",
    ),
    "loss": Words(
        loss,
        "A loss other than cross-entropy changes what a row counts: the focal loss counts a row less the surer the "
        "network is of its class [@lin2017]; the symmetric cross-entropy adds the reverse cross-entropy, which a "
        "wrong label moves less [@wang2019].",
    ),
    "penalty": Words(
        penalty,
        "A penalty for demographic parity is added to the loss: the squared distance between the groups' mean "
        "predicted probabilities; for equalised odds, that distance among faces of one class, over the classes "
        "[@hardt2016]. Either is zero where predictions do not tell one group from another.",
    ),
    "group_dro": Words(
        lambda settings: with_settings(f"group DRO{by(settings)}", settings, step="step", strength="strength"),
        "Group distributionally robust optimisation makes the worst group's loss small in place of the mean: weights "
        "over the groups grow with the groups' losses, step by step [@sagawa2020].",
    ),
    "adversary": Words(
        lambda settings: with_settings(f"adversary{by(settings)}", settings, strength="strength"),
        "An adversary learns the group from a layer of the network, and its gradient reaches that layer reversed, so "
        "that the layer learns to hold nothing that tells the group [@ganin2015].",
    ),
    "alignment": Words(
        alignment,
        "Latent alignment trains a variational encoder that all groups share against a discriminator of the group in "
        "its latents and a loss on the style of reconstructed pictures, and then a classifier of the latents "
        "[@rizvi2024].",
    ),
    "from": Words(
        lambda source: f"from {source}",
        "An arm *from* another trains nothing: it changes that arm's predictions, fitted on validation faces alone.",
    ),
    "ensemble": Words(
        lambda over: f"the mean over the {over}",
        "An ensemble averages the probabilities of networks that differ in their seed alone [@lakshminarayanan2017].",
    ),
    "temperature": Words(
        fitted("a temperature"),
        "A temperature divides the logarithms of the probabilities [@guo2017]; one for each group makes its "
        "probabilities as sure as they are right and changes no answer.",
    ),
    "thresholds": Words(
        fitted("offsets of the classes"),
        "Thresholds shift each group's log-probabilities by an offset per class, so that the groups' predicted "
        "shares or recalls agree with those of all faces [@hardt2016]; the group must be known when the model is "
        "used.",
    ),
}


def words(arm: Mapping) -> str:
    """Return in words what an arm does beyond training its network; ``none`` where that is nothing."""
    found = {key: own.short(arm[key]) for key, own in INTERVENTIONS.items() if arm.get(key) is not None}
    if arm.get("from"):
        return f"{found.pop('from')}: {', then '.join(found.values())}"
    return "; ".join(found.values()) or "none"


def methods(arms: list[Mapping]) -> str:
    """Return one sentence for each option that any of the arms has, as a paragraph."""
    used = [own.sentence for key, own in INTERVENTIONS.items() if any(arm.get(key) is not None for arm in arms)]
    return " ".join(used)


def cost(value: float | None) -> str:
    """Return a cost relative to the baseline's as ``× 1.8``."""
    shown = fixed(value, 2)
    return f"×\N{NO-BREAK SPACE}{shown}" if value == value and value is not None else shown
