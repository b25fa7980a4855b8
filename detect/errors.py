"""Errors of the `detect` package."""


class DetectError(ValueError):
    """Arrays or options on which no detection can be made; the message shows them."""
