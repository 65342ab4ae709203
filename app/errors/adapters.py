"""What stands against an adapter and its hosting."""

from __future__ import annotations
