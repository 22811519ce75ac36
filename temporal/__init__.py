"""Everything that touches the Temporal platform itself: names, contracts' base, client, dev server."""
