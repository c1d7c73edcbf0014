"""A call, from ring to record: the one process that speaks SIP, walks flows and writes records."""
