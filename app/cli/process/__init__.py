"""What commands do around a process: stores, services, listening sockets, signals, workers."""
