"""What a catalog is: row schema, reader, dependency graph, prompt templates, criteria, sample catalogs."""
