"""The bundled weights, a card beside each."""
