//! Cursor reader and writer for the binary formats.
