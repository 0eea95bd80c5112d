"""Storage on one machine without a service: SQLite through apsw."""
