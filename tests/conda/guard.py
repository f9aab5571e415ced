"""Hide, in an environment made by fake conda, the packages of the environment that Snakemake runs in.

Snakemake's ``script:`` directive appends its own site-packages to ``sys.path``, so that a package which the env file
forgot would be taken from there and passed over in silence. From there comes only Snakemake itself, and what its own
modules import.
"""

import sys
from importlib.machinery import PathFinder


def _foreign(f):
    return "site-packages/" in f and not f.startswith(sys.prefix + "/")


class Guard(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if spec is None or path is not None or name.split("_interface_")[0] == "snakemake":
            return spec
        where = spec.origin or next(iter(spec.submodule_search_locations or []), "")
        if not _foreign(where):
            return spec
        f = sys._getframe(1)
        while f and (f.f_code.co_filename.startswith("<frozen importlib") or "/importlib/" in f.f_code.co_filename):
            f = f.f_back
        if f and _foreign(f.f_code.co_filename):
            return spec  # Snakemake's own imports
        print(
            f"fake conda: {name!r} is not in {sys.prefix}, only in Snakemake's environment ({where})", file=sys.stderr
        )
        return None


sys.meta_path[:] = [Guard if f is PathFinder else f for f in sys.meta_path]
