"""Request parameters: form decoding, types, currencies."""
