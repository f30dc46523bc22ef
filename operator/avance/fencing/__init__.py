"""Making sure that a node runs nothing: power off through its management controller, and the reading that proves it."""
