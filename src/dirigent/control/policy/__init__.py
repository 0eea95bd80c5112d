"""Policies: rules as data, the facts they read, and the gate that asks them."""
