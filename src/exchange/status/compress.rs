//! The build's part of the status page: the document, without indentation, compressed.

use flate2::{Compression, GzBuilder};
use std::io::Write;
use std::path::Path;
use std::{env, fs};

const PAGE: &str = "src/exchange/status/page.html";

fn main() {
    println!("cargo:rerun-if-changed={PAGE}");
    let page = fs::read_to_string(PAGE).expect("the page");
    let lines: Vec<_> = page.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Without a time, so that the same page is the same bytes.
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(lines.join("\n").as_bytes()).expect("memory");
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("page.html.gz"), gzip.finish().expect("memory"))
        .expect("the compressed page");
}
