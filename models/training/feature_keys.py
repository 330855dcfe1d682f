"""What cached features are known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def feature_key(described: Mapping[str, object]) -> str:
    """A hex digest of everything that features depend on besides the picture; JSON values."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
