"""Tests of `app.cli.process`."""
