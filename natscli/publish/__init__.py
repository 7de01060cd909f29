"""Publishing messages: sent in batches, at a pace if one is asked for, and done when the server has taken all."""
