"""An example of a model in a package of its own."""
