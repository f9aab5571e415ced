"""Options of an arm that contradict each other or name what there is not; standard library alone, as the plan is."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fergap.errors import UserError, shown, unknown

RESAMPLED = ("undersample", "oversample")
WEIGHING = ("group_dro", "reweight", "confidence_weights")
"""Options that say how much each row counts."""
OF_GROUPS = ("penalty", "adversary", "alignment")
"""Options of training that compare groups of people."""
OF_PEOPLE = (*OF_GROUPS, "temperature", "thresholds")
"""Options by groups of people, which classes are none of."""
TRAINING = ("composition", *RESAMPLED, *WEIGHING, "loss", *OF_GROUPS)
"""Options of an arm that trains a network."""


def parts_of(name: str) -> list[str]:
    """Return the attributes that a combination such as ``gender*age`` is made of."""
    return [part.strip() for part in name.split("*")]


def resampled(settings: Mapping) -> list[str]:
    """Return the keys of ``oversample`` or ``undersample`` that name an attribute; there must be one."""
    return [key for key in settings if key not in ("to", "within")]


def as_list(by: str | Sequence[str] | None) -> list[str]:
    """Return what ``by`` names as a list."""
    return [by] if isinstance(by, str) else list(by or [])


def option_faults(
    arms: Sequence[Mapping], attributes: Sequence[str] | None, declared: Mapping[str, Sequence[str]]
) -> Iterator[UserError]:
    """Yield what the schema cannot see in the options of the arms.

    Parameters
    ----------
    arms : sequence of mapping
        Each with its ``name`` and options.
    attributes : sequence of str or None
        Those that people can have; None where only a table tells.
    declared : mapping
        By attribute the groups that there are, where the configuration tells.
    """
    for i, arm in enumerate(arms):
        where = f"arms.{i} ({arm['name']})"
        for given in ("predictions", "endpoint"):
            for key in TRAINING:
                if given in arm and key in arm:
                    yield UserError(f"{key} has no meaning beside {given}", where=f"config: {where}")
        for key in RESAMPLED:
            if key in arm:
                yield from _resampling(arm[key], f"{where}.{key}", attributes, declared)
        if "composition" in arm:
            yield from _composition(arm["composition"], f"{where}.composition", attributes, declared)
        yield from _clashes(arm, where)
        for name, place in named_with_places(arm, where):
            yield from _attributes(name, place, attributes)
        for key in OF_PEOPLE:
            for name, place in named_with_places(arm.get(key), f"{where}.{key}"):
                if "class" in parts_of(name):
                    yield UserError(
                        f"{shown(name)} holds the class, which the network shall tell",
                        where=f"config: {place}",
                        expected="an attribute of people, or several joined by *",
                    )


def named_with_places(option: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield every attribute or combination that ``by`` names anywhere in an option, and the place."""
    if isinstance(option, Mapping):
        for key, value in option.items():
            if key == "by":
                yield from ((name, f"{where}.by") for name in as_list(value))
            else:
                yield from named_with_places(value, f"{where}.{key}")


def _attributes(name: str, where: str, attributes: Sequence[str] | None) -> Iterator[UserError]:
    parts = parts_of(name)
    if not all(parts) or len(set(parts)) < len(parts):
        yield UserError(
            f"{shown(name)} is not allowed",
            where=f"config: {where}",
            expected="an attribute, or different ones joined as in gender*age",
        )
    for part in parts:
        if attributes is not None and part not in (*attributes, "class"):
            yield unknown(where, part, [*attributes, "class"])


def _groups(name: str, groups: Sequence[str], where: str, declared: Mapping[str, Sequence[str]]) -> Iterator[UserError]:
    """Yield the groups of an attribute or combination that the configuration knows not to be there."""
    parts = parts_of(name)
    for group in groups:
        own = parts_of(group.replace("×", "*")) if len(parts) > 1 else [group]
        if len(own) != len(parts):
            yield UserError(
                f"{shown(group)} is no group of {name}",
                where=f"config: {where}",
                expected=f"{len(parts)} groups joined by *, in the order of {name}",
            )
            continue
        for part, value in zip(parts, own, strict=True):
            if declared.get(part) and value not in declared[part]:
                yield unknown(where, value, list(declared[part]))


def _resampling(
    settings: Mapping, where: str, attributes: Sequence[str] | None, declared: Mapping[str, Sequence[str]]
) -> Iterator[UserError]:
    named = resampled(settings)
    for name in named:
        yield from _attributes(name, where, attributes)
    if len(named) != 1:
        yield UserError(
            f"{shown(dict(settings))} names {len(named) or 'no'} attributes",
            where=f"config: {where}",
            expected="one attribute with its group, as age: child",
        )
        return
    name = named[0]
    if settings[name] == "all":
        if settings["to"] != "parity":
            yield UserError("all groups cannot have a share", where=f"config: {where}.to", expected="parity")
    else:
        yield from _groups(name, [settings[name]], f"{where}.{name}", declared)
    if within := settings.get("within"):
        yield from _attributes(within, f"{where}.within", attributes)
        if both := set(parts_of(within)) & set(parts_of(name)):
            yield UserError(
                f"{min(both)} is what the rows are repeated or left out by",
                where=f"config: {where}.within",
                expected="another attribute, or class",
            )


def _composition(
    composition: Mapping, where: str, attributes: Sequence[str] | None, declared: Mapping[str, Sequence[str]]
) -> Iterator[UserError]:
    for name, shares in composition.items():
        yield from _attributes(name, where, attributes)
        if isinstance(shares, str):
            continue
        yield from _groups(name, list(shares), f"{where}.{name}", declared)
        if abs(sum(shares.values()) - 1) > 1e-9:
            yield UserError(
                f"{shown(dict(shares))} sums to {sum(shares.values()):g}",
                where=f"config: {where}.{name}",
                expected="shares that sum to 1",
            )


def _clashes(arm: Mapping, where: str) -> Iterator[UserError]:
    for key in WEIGHING[1:]:
        if "group_dro" in arm and key in arm:
            yield UserError(
                f"group_dro and {key} both say how much a row counts",
                where=f"config: {where}",
                fix="give each an arm of its own",
            )
    composed = set(itertools.chain(*map(parts_of, arm.get("composition", {}))))
    for key in RESAMPLED:
        for name in resampled(arm.get(key, {})):
            if both := composed & set(parts_of(name)):
                yield UserError(
                    f"composition and {key} both decide the shares of {min(both)}",
                    where=f"config: {where}",
                    fix=f"leave out {key}, or compose by another attribute",
                )
    reweight = arm.get("reweight", {})
    if reweight.get("kind") == "reweighing":
        for name in as_list(reweight["by"]):
            if "class" in parts_of(name):
                yield UserError(
                    f"reweighing makes a group and the class independent, and {shown(name)} holds the class",
                    where=f"config: {where}.reweight.by",
                    expected="an attribute of people, or several joined by *",
                )
