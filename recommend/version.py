"""The version of clew, written once."""

__version__ = "0.1.0"
