"""Pure rules of the product, one package per noun: the standard library only, no input or output, no clock."""
