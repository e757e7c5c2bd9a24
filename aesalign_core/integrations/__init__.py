"""An encoder or a gallery as other libraries know such things. A module is for one of them, and imports it itself."""

from __future__ import annotations
