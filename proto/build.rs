//! Compiles `proto/` to Rust when the feature `service` is on, with protox: no `protoc` is needed on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/copytrace");
    println!("cargo::rerun-if-changed=proto/build.rs");
    compile()
}

/// Without the service there is nothing to compile.
#[cfg(not(feature = "service"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as with the service")]
fn compile() -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

/// Messages that hold a caller's text or parts of it: their `Debug` is written by hand in `src/service/proto.rs`, without the text.
#[cfg(feature = "service")]
const MESSAGES_WITH_TEXT: [&str; 3] = [".copytrace.v1.CheckRequest", ".copytrace.v1.Verdict", ".copytrace.v1.Rename"];

/// Writes `copytrace.v1.rs` (messages, service, client) and `copytrace.bin` (the descriptors that reflection serves).
#[cfg(feature = "service")]
fn compile() -> Result<(), Box<dyn std::error::Error>> {
    use protox::prost::Message as _;

    let descriptors = protox::compile(["copytrace/v1/check.proto"], ["proto"])?;
    let out_dir = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out_dir.join("copytrace.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // `connect` would pull tonic's client transport into the server; callers make their own channel.
        .build_transport(false)
        // prost answers INTERNAL to a message that it cannot decode; ours says whose fault it is.
        .codec_path("crate::service::codec::WireCodec")
        .skip_debug(MESSAGES_WITH_TEXT)
        .compile_fds(descriptors)?;
    Ok(())
}
