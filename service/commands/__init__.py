"""The commands beside those of `service/cli`, and the tables and pictures shown at a prompt."""
