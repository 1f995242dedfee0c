"""Publish/subscribe between processes, and the live boards of one process."""
