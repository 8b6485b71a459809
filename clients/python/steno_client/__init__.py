"""A client of stenod; client.py says how it is used."""

from .client import Client, Flush, Result, Settings, StenoError, Word

__all__ = ["Client", "Flush", "Result", "Settings", "StenoError", "Word"]
