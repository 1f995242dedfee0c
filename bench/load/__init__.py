"""Load, each kind in a process of its own, so that what it costs is not booked on anybody else."""
