"""Pasokh: a small box between a business's telephone provider and its headsets.

The rooms and the direction in which they may import each other are drawn in docs/DESIGN.md and kept by the import
contract in pyproject.toml. A newcomer starts at ``appliance.calls.session.Session.run``.
"""

__version__ = "0.7.0"
