"""A run's folder in the forms that other programs read: nothing here computes anything anew."""
