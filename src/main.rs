//! The `warp` command: parse, run, exit code.

fn main() {}
