"""Cut the oracle's answers to the fields that the tests use: python cut.py oracle_open.json > oracle.json."""

import json
import sys

BOOT = ("t0", "percentile", "bca_multisample_formula", "a_multisample_formula", "mc_sd_percentile", "percentile_band4")


def attribute(found):
    kept = {k: found[k] for k in ("groups", "metrics", "two_proportion") if k in found}
    if "stratified_by_class" in found:
        fields = ("mantelhaen", "mantelhaen_exact", "mh_rd_metafor", "per_class")
        kept["stratified_by_class"] = {k: found["stratified_by_class"].get(k) for k in fields}
    return kept


def arm(found):
    kept = {k: attribute(v) for k, v in found.items() if k in ("gender", "age")}
    return kept | {k: found[k] for k in ("overall", "race") if k in found}


def boot(found):
    return {
        a: {
            "stratified_by_group": {
                s: {k: v.get(k) for k in BOOT} for s, v in f["stratified_by_group"].items() if isinstance(v, dict)
            },
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
    "fixed": {k: oracle["fixed"][k] for k in ("two_by_two", "p_adjust", "power")},
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
