"""How the admin writes moments, in its libraries' pages too: never without the name of the zone."""
