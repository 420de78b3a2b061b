//! Prepares the style sheet and the scripts when Innkeeper is built: without comments, and compressed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=static");
    files::prepare()
}

#[cfg(feature = "pages")]
mod files {
    use std::error::Error;
    use std::io::{self, Write};
    use std::path::Path;
    use std::{env, fs};

    use miniz_oxide::MZFlush;
    use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
    use miniz_oxide::deflate::stream;

    /// RFC 1952, 2.3: deflate, no time, no name, made with the slowest algorithm on an unknown system.
    const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

    /// The icon is not among them: with the headers that a compressed file needs it would be as large as it is.
    const NAMES: [&str; 3] = ["style.css", "innkeeper.js", "docs.js"];

    /// Both compressed forms are left open: the server ends them at its launch, after what the site's settings add to the
    /// style sheet.
    pub(crate) fn prepare() -> Result<(), Box<dyn Error>> {
        let folder = env::var("OUT_DIR")?;
        for name in NAMES {
            let source = fs::read_to_string(Path::new("static").join(name))?;
            let text = without_comments(&source);
            let write = |ending: &str, content: &[u8]| {
                fs::write(Path::new(&folder).join(format!("{name}{ending}")), content)
            };
            write("", text.as_bytes())?;
            write(".br", &open_brotli(text.as_bytes())?)?;
            write(".gz", &open_gzip(text.as_bytes())?)?;
        }
        Ok(())
    }

    /// Drops the lines that hold nothing but a comment: a third of what the script weighs.
    fn without_comments(source: &str) -> String {
        let lines = source.lines();
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| [line, "\n"]).collect()
    }

    fn open_brotli(text: &[u8]) -> io::Result<Vec<u8>> {
        let (quality, window) = (11, 22);
        let mut writer = brotli::CompressorWriter::new(Vec::new(), text.len(), quality, window);
        writer.write_all(text)?;
        writer.flush()?;
        Ok(writer.get_ref().clone())
    }

    fn open_gzip(text: &[u8]) -> Result<Vec<u8>, String> {
        let (level, no_zlib_header, strategy) = (10, 0, 0);
        let flags = create_comp_flags_from_zip_params(level, no_zlib_header, strategy);
        let mut deflated = vec![0; text.len() + 64];
        let mut compressor = CompressorOxide::new(flags);
        let done = stream::deflate(&mut compressor, text, &mut deflated, MZFlush::Sync);
        if done.status.is_err() || done.bytes_consumed < text.len() {
            return Err(format!("deflate: {done:?}"));
        }
        deflated.truncate(done.bytes_written);
        Ok([&GZIP_HEADER[..], &deflated].concat())
    }
}

#[cfg(not(feature = "pages"))]
mod files {
    use std::error::Error;

    #[expect(clippy::unnecessary_wraps, reason = "with pages, files may be missing")]
    pub(crate) fn prepare() -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}
