"""What stands for replicated storage: a LINSTOR controller by its REST API, and Longhorn's definitions."""
