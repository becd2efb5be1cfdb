"""Benchmarks for asv. Each validates its result against the float64 reference in ``setup``, where it also warms up."""
