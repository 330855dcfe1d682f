"""Errors that a person may read: one sentence that says what is wrong, what was found and what to do."""


class ExpectedError(Exception):
    """Something that can happen in good use; its message is shown to the user as it is."""


class WeightsError(ExpectedError):
    """Weights are missing, damaged or of another model."""


class UnknownModelError(ExpectedError):
    """A preset or backbone was asked for by a name that does not exist."""


class PictureError(ExpectedError):
    """A picture cannot be read, or is too large or too small to be inspected."""


class DataError(ExpectedError):
    """A data set or training set is missing, incomplete or not what its name says."""
