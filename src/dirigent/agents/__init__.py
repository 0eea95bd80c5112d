"""The agents that come with Dirigent, one folder per business domain; `catalogue` lists them."""
