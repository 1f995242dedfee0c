"""Tests of commands in this process, on real stores."""
