"""Tests with an application of their own: of the engine of jobs there is one in a process."""
