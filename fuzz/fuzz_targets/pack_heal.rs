#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| warp::testing::fuzz::run("pack_heal", data));
