#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| warp::testing::fuzz::run("receipt", data));
