"""`alm_cascade`: a speech recogniser and a text model, the control that hears no tone."""

from model_adapters.cascade.backend import CascadeBackend

__all__ = ["CascadeBackend"]
