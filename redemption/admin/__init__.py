"""The catalogue in the admin, one file per noun."""

from redemption.admin import batches, products, programs, retailers

__all__ = ["batches", "products", "programs", "retailers"]
