"""From a request to a stream of finished slices."""
