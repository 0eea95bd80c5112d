"""The composition root: the only room that knows which adapter stands behind which port."""

from dirigent.bootstrap.system import Dirigent

__all__ = ["Dirigent"]
