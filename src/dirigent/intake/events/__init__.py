"""Events of the business: read, taken in, followed and replayed."""
