"""What every test shares. Fixtures live beside the tests that use them; this file stays small."""

from hypothesis import settings

# A slow machine is no reason to fail; a failure must come again when one runs the test again.
settings.register_profile("dirigent", deadline=None, derandomize=True)
settings.load_profile("dirigent")
