"""What is kept: the chain of events, the conversation's record, and the store that alone writes calls.db."""
