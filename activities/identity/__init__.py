"""Who somebody is: users, passwords, sessions and tokens."""
