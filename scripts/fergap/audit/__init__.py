"""How large is each gap, how sure are we, and what changed?"""

from fergap.audit.engine import NAMES, audit
from fergap.audit.gap_frame import GapFrame

__all__ = ["NAMES", "GapFrame", "audit"]
