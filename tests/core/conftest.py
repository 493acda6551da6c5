"""The two endpoints there are, listening, in conversation with anybody."""

import pytest

from mpwire.testing.conversation import Conversation, leaf_conversation, root_conversation


@pytest.fixture
def root() -> Conversation:
    """Give the endpoint of a root."""
    return root_conversation()


@pytest.fixture
def leaf() -> Conversation:
    """Give the endpoint of a leaf."""
    return leaf_conversation()
