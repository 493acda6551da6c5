"""The two endpoints there are, listening, in conversation with anybody."""

import pytest

from mpwire.testing.conversation import Conversation, leaf_conversation, root_conversation
from mpwire.testing.ends import Ends, joined_leaf, joined_root


@pytest.fixture
def root() -> Conversation:
    """Give the endpoint of a root."""
    return root_conversation()


@pytest.fixture
def leaf() -> Conversation:
    """Give the endpoint of a leaf."""
    return leaf_conversation()


@pytest.fixture(params=[joined_leaf, joined_root], ids=["leaf", "root"])
def ends(request: pytest.FixtureRequest) -> Ends:
    """Give what makes an end that has joined and its peer: both kinds of member."""
    ends: Ends = request.param
    return ends
