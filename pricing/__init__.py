"""usage → money. Imports nothing of the gateway and nothing heavy.

`Usage` is what a call used, `Catalog` finds the `Price` that held at the time, `Price.cost` makes the `Cost` of it,
`Price.explain` the bill behind it. Everything is exact until the one rounding at the end; unknown is None.
"""

from pricing.bill import billed
from pricing.catalog import Catalog
from pricing.money import charge
from pricing.price import Cost, Line, Price
from pricing.usage import Billed, Usage

__all__ = ["Billed", "Catalog", "Cost", "Line", "Price", "Usage", "billed", "charge"]
