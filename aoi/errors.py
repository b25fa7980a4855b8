"""Errors of the `aoi` package."""


class AOIError(ValueError):
    """An area, a zone or a grid that cannot be used; the message shows the values and what to do."""
