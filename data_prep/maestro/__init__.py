"""MAESTRO: about 200 hours of piano, recorded with the keys' and pedals' motion."""
