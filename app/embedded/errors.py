"""The exception of this package."""


class EmbeddedError(Exception):
    """A private server cannot be started. The text is one line: the cause, and the remedy where there is one."""
