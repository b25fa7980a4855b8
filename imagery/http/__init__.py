"""The one place where servers are asked: retries, deadlines, politeness, checked addresses, no secret let out."""

from imagery.http.client import Client
from imagery.retry import Clock, Patience

__all__ = ["Client", "Clock", "Patience"]
