"""The names of networks; standard library alone, because the workflow itself checks them before any job starts."""

import re

ALIGNED = tuple(f"latent_alignment{wide}{blocks}" for wide in ("", "_wide") for blocks in ("", "_residual"))
"""Those that the arms' option ``alignment`` trains."""
NAMED = (*ALIGNED, "pyramid", "pyramid_wide")
"""The keys of :data:`fergap.models.registry.NETWORKS`."""
FAMILY = re.compile(r"b([1-9]\d*)_n([1-9]\d*)_(?:fc[1-9]\d*_)?k(\d*[13579])(?:_ap[1-9]\d*)?")
"""Names of the published study's family, as :func:`fergap.models.resblock.shape_of` reads them."""
EXAMPLES = tuple(f"b{b}_n{n}_k{k}" for b in (16, 32) for n in (4, 8) for k in (3, 5, 7))


def is_known(name: str) -> bool:
    """Return whether a network has this name; upper and lower case are the same."""
    name = name.lower()
    return name in NAMED or bool(FAMILY.fullmatch(name) and ("_fc" in name) == ("_ap" in name))
