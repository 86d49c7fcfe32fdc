"""What a request may carry: form decoding, typed parameters, currencies."""
