"""What stands against a training of an adapter."""

from __future__ import annotations
