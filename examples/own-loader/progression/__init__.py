"""How far diabetes goes within a year, with layers and a file format of our own."""
