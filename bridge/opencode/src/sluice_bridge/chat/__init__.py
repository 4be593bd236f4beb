"""Pure: what is asked, what is answered, which session a conversation has. No I/O, no clock."""
