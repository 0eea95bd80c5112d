"""Agents of trade: what is in stock, what will be wanted, what to order."""
