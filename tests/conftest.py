"""For all tests."""

import hypothesis

# A busy machine is slow, and says nothing about the code: figures are tests/bench's business.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")
