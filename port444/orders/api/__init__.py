"""The API of orders, offers and disputes."""

from .disputes import router as disputes
from .offers import router as offers
from .orders import router as orders

__all__ = ["disputes", "offers", "orders"]
