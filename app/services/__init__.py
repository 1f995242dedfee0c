"""Use cases, one package per noun. Each use case owns its transaction."""
