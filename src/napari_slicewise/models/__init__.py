"""Networks, their weights and what is known of them."""
