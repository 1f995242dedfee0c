"""Tests of the command line without stores."""
