//! Prose to words: normal form, word hashes, and the way back to the bytes of the original.
