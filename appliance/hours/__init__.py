"""Opening hours: whether a business is open at a moment, why, until when, and when it opens next. No I/O, no clock."""
