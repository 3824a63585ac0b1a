"""Pages that open from disk with no network: their HTML, CSS and JavaScript, and how the pieces become one file."""
