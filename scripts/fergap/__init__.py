"""fergap: accuracy gaps between groups of people, for facial-expression classifiers.

One package per stage, in the order in which data flows: ``faces``, ``people``, ``training`` (with ``models``),
``audit``, ``paper``. Modules at this level serve every stage and import none of them.
"""

__version__ = "0.1.0"
