//! chonkers.
