//! Ordinary crates on the default stack of a goroutine, in debug builds, whose frames are large.

use std::io::Write;

use goroutines::go;
use goroutines_tests::start;

#[test]
fn a_compressor_runs_on_the_default_stack() {
    start(2);
    let compressed = go(|| {
        let level = flate2::Compression::best();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(&[7; 100_000]).unwrap();
        encoder.finish().unwrap().len()
    });
    assert!(compressed.join().unwrap() < 1000);
}

#[test]
fn a_nested_regex_compiles_on_the_default_stack() {
    start(2);
    let matches = go(|| {
        let nested = format!("{}a{}", "(".repeat(200), ")".repeat(200));
        regex::Regex::new(&nested).unwrap().is_match("a")
    });
    assert!(matches.join().unwrap());
}
