"""The compiler of operations: it turns an operation into closures once, and the closures are executed many times."""
