"""How large is each gap, how sure are we, and what changed?"""

from fergap.audit.engine import NAMES, audit

__all__ = ["NAMES", "audit"]
