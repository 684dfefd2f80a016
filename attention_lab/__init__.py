"""attention-lab: attention = a distribution of weights, computed from the features, then combined with them."""
