"""The API of orders, offers and disputes."""

from .disputes import router as disputes
from .insights import router as insights
from .offers import router as offers
from .orders import router as orders

__all__ = ["disputes", "insights", "offers", "orders"]
