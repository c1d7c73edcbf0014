"""The page: what is happening and what happened, in Persian and English, for browsers of the office."""
