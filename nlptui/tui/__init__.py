"""The explorer: a Textual app over the engine, the views and the run client."""
