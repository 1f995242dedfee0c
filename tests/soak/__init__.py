"""Sockets and streams that come and go in every way, after which a server must have nothing left of them."""
