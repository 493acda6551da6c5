"""Mutation testing of core and winsock, judged by simulated labs and the oracle."""
