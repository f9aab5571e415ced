"""Cut the oracle's answers to the fields that the tests use: python cut.py oracle_open.json > oracle.json."""

import json
import sys

BOOT = (
    "t0",
    "se",
    "percentile",
    "bca_multisample_formula",
    "a_multisample_formula",
    "mc_sd_percentile",
    "percentile_band4",
)


FAIRNESS = (
    *("dp_per_class", "dp_max", "eopp_per_class", "eopp_max_defined", "fpr_per_class"),
    *("eodds_max_defined", "eodds_meanabs_per_class", "treatment_diff_counts", "treatment_diff_rates_eq11"),
    *("xu_F_all_classes", "xu_F_common_classes", "accuracy_difference", "accuracy_ratio_min_over_max"),
    "di_selection_ratio_per_class",
)


def fairness(found):
    return {k: found[k] for k in FAIRNESS}


def attribute(found):
    kept = {k: found[k] for k in ("groups", "metrics", "two_proportion") if k in found}
    kept["fairness"] = fairness(found["fairness"])
    if "stratified_by_class" in found:
        kept["stratified_by_class"] = found["stratified_by_class"]
    return kept


def logistic(found):
    fields = ("terms", "coef", "se", "deviance", "df_residual", "separation_or_aliasing")
    models = {k: {f: m[f] for f in fields} for k, m in found["models"].items() if k != "inter_noclass"}
    return {"models": models} | {k: found[k] for k in ("lr", "ame_formula", "profile_ci_main")}


def arm(found):
    kept = {k: attribute(v) for k, v in found.items() if k in ("gender", "age")}
    kept["logistic"] = logistic(found["logistic"])
    whole = ("overall", "race", "clustered", "multiplicity_fisher_per_class")
    intersection = found["intersection"] | {"fairness": fairness(found["intersection"]["fairness"])}
    return kept | {k: found[k] for k in whole if k in found} | {"intersection": intersection}


def boot(found):
    return {
        a: {
            "stratified_by_group": {
                s: {k: v.get(k) for k in BOOT} for s, v in f["stratified_by_group"].items() if isinstance(v, dict)
            },
            "plain": {s: {k: v.get(k) for k in BOOT} for s, v in f["plain"].items() if isinstance(v, dict)},
            "exact_formula": f["exact_formula"],
        }
        for a, f in found.items()
        if a in ("gender", "age")
    }


with open(sys.argv[1], encoding="utf-8") as file:
    oracle = json.load(file)
out = {
    "meta": oracle["meta"],
    "datasets": {},
    "fixed": {k: oracle["fixed"][k] for k in ("two_by_two", "p_adjust", "power", "friedman", "cochran_q")},
}
for name, data in oracle["datasets"].items():
    out["datasets"][name] = {
        "classes": data["classes"],
        "before": arm(data["before"]),
        "after": arm(data["after"]),
        "paired": data["paired"],
        "boot": boot(data["boot"]),
    }
json.dump(out, sys.stdout, indent=1)
