"""The one error of this package."""


class EmbeddedError(Exception):
    """A private server cannot be had. The text is one line: the cause, and the remedy where there is one."""
