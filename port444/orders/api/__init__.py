"""The API of orders, offers, disputes, reviews and ends by agreement."""

from .disputes import router as disputes
from .insights import router as insights
from .offers import router as offers
from .orders import router as orders
from .partings import router as partings
from .reviews import router as reviews

__all__ = ["disputes", "insights", "offers", "orders", "partings", "reviews"]
