"""Boards: windows, order, pages, views and the queries that ask for them."""
