"""A terminal session as a picture: what was typed on the lab, and what was really printed."""
