"""Questions that flows ask elsewhere: the owner's servers, PINs against the box's list, one-time codes by SMS.

Everything here is over within two seconds, goes only to hosts that the settings name, and leaves nothing secret in a
log or an exception.
"""
