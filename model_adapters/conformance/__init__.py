"""What every adapter must keep to, as tests that an adapter's author runs on it.

`pytest --pyargs model_adapters.conformance --adapter NAME --model-args pretrained=...`; the checks
are in the modules `identity`, `drawing`, `scoring` and `hearing`. See docs/adding_a_model.md.
"""
