//! cas.
