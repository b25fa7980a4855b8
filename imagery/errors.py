"""Errors of the `imagery` package. What the user can mend says how; leaves also inherit the builtin."""


class ImageryError(Exception):
    """Root of everything that can go wrong between a source and a `Raster`."""


class RefusedFileError(ImageryError, ValueError):
    """A file that is not what it claims, or that is not safe to read. Nothing of it was used."""


class MissingFileError(RefusedFileError, FileNotFoundError):
    """A file that a description names and that is not there."""


class SceneError(ImageryError, ValueError):
    """A scene whose description lacks something that is needed; the message names it."""


class SourceError(ImageryError, OSError):
    """A source that failed or answered in part."""


class NoSceneError(ImageryError, LookupError):
    """A complete search that found no scene on the AOI at all."""


class InsufficientImageryError(ImageryError, LookupError):
    """Scenes there are, but no usable pair of dates among them."""


class NoStructureError(InsufficientImageryError):
    """Two images between which no shift can be measured: nothing in them is alike, or nothing stands out at all."""


class UnreachableError(SourceError):
    """A server that could not be connected to."""


class AddressError(SourceError):
    """An address that is not asked: another host, scheme or machine than the source's own. Nothing was sent there."""


class RateLimitedError(SourceError):
    """A server that asked for patience for longer than the run has."""


class BadAnswerError(SourceError):
    """An answer that is not what was asked for: another type, shape or size, or cut short."""


class NoRangeError(SourceError):
    """A server that sends whole files only."""


class ChangedError(SourceError):
    """An object that is no longer the one that was begun with."""


class GoneError(SourceError):
    """An object that a catalogue names and that is not there (404, 410)."""


class OfflineError(SourceError):
    """Something that is not in the cache, while the network may not be used."""


class CredentialsError(ImageryError, PermissionError):
    """Credentials that are missing or refused; the message says where they are looked for."""


class BudgetError(ImageryError, ValueError):
    """A request that would cost more than the user allowed."""
