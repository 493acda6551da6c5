"""Let the tests of the judge import the story builder that stands beside them."""
