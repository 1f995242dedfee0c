"""The players, documents and requests of the benchmarks."""
