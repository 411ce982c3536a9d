"""The API of orders, offers, disputes and reviewsends by agreement."""

from .disputes import router as disputes
from .insights import router as insights
from .offers import router as offers
from .orders import router as orders
from .reviews import router as reviews
from .partings import router as partings

__all__ = ["disputes", "insights", "offers", "orders", "reviewspartings"]
