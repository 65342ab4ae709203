"""Tests of manualqa."""
